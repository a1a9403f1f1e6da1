import { expect, test } from 'vitest';
import { LogRig } from '../../fakes/log-rig.ts';

test('a clock that is set forward while entries wait refuses nobody', async () => {
  const rig = new LogRig();
  const clock = { now: () => rig.clock.now(), steady: () => 0 };
  const log = await rig.open(clock);
  expect(await rig.append(log, 1)).toBe(0);
  rig.clock.value += 3_600_000;
  expect([log.ready, await rig.append(log, 1)]).toEqual([true, 0]);
  await log.publish();
  await rig.check(log);
  await log.close();
});

test('a log that cannot publish what it has taken takes no more after half of its merge delay, and goes on once it can', async () => {
  const rig = new LogRig();
  const log = await rig.open();
  await rig.append(log, 1); // its issuers are stored from here on
  await log.publish();
  // The journal has its room already; a new file finds none, as on a full disk.
  rig.disk.fault = (operation, path) =>
    operation === 'write' && !path.startsWith('/journal') ? 'before' : undefined;

  const refused = (): Promise<number> => rig.append(log, 1);
  expect(await refused()).toBe(0);
  await expect(log.publish()).rejects.toThrow();
  rig.clock.value += 30_000;
  expect([log.ready, await refused()]).toEqual([true, 0]);
  rig.clock.value += 1;
  expect([log.ready, await refused()]).toEqual([false, 1]);

  rig.disk.fault = () => undefined;
  await log.publish();
  expect([log.ready, await refused()]).toEqual([true, 0]);
  await log.publish();
  await rig.check(log);
  rig.clock.value += 60_000;
  expect(log.ready).toBe(true);
  await log.close();
});
