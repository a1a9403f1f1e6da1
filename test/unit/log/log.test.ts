import { describe, expect, it } from 'vitest';
import { leafIndexOf } from '../../../src/log/entry.ts';
import { audit, holds } from './audit.ts';
import {
  ed25519Signer,
  entryOf,
  ManualClock,
  ManualSchedule,
  openLog,
  p256Signer,
  temporaryFolder,
} from './support.ts';

describe('a log in a folder', () => {
  it('publishes an empty tree when founded', async () => {
    const signer = p256Signer();
    const log = await openLog({ folder: temporaryFolder(), signer });
    expect((await audit(log.reader, signer.publicKey)).size).toBe(0);
    await log.close();
  });

  it('gives SCTs that stand in the published tree, before and after a restart', async () => {
    const signer = p256Signer();
    const folder = temporaryFolder();
    const entries = Array.from({ length: 600 }, (_, i) => entryOf(i, 100));
    let log = await openLog({ folder, signer, cosigner: ed25519Signer() });
    const scts = await Promise.all(entries.slice(0, 300).map((entry) => log.log.append(entry)));
    expect(scts.map(({ extensions }) => leafIndexOf(extensions))).toEqual(scts.map((_, i) => i));
    await log.publish();
    await audit(log.reader, signer.publicKey);
    for (const entry of entries.slice(300, 310)) scts.push(await log.log.append(entry));
    await log.close();

    log = await openLog({ folder, signer });
    expect(log.reader.size).toBe(310);
    for (const entry of entries.slice(310)) scts.push(await log.log.append(entry));
    await log.publish();
    const audited = await audit(log.reader, signer.publicKey);
    expect(audited.size).toBe(600);
    for (const [i, sct] of scts.entries())
      expect(holds(audited, signer.publicKey, sct, entries[i]?.tbs ?? new Uint8Array())).toBe(true);
    await log.close();
  });

  it('publishes by itself soon after a commit, and lets one wait for it', async () => {
    const timers = new ManualSchedule();
    const log = await openLog({ folder: temporaryFolder(), signer: p256Signer(), schedule: timers.schedule });
    await log.log.append(entryOf(0));
    const published = log.reader.published(0);
    expect(log.reader.size).toBe(0);
    timers.runDue();
    await published;
    expect(log.reader.size).toBe(1);
    const refused = expect(log.reader.published(1)).rejects.toThrow('closed');
    await log.close();
    await refused;
  });

  it('signs a fresh tree head when idle, always later than the last', async () => {
    const timers = new ManualSchedule();
    const clock = new ManualClock();
    const signer = p256Signer();
    const log = await openLog({ folder: temporaryFolder(), signer, clock, schedule: timers.schedule });
    const times = [(await audit(log.reader, signer.publicKey)).timestamp];
    for (const step of [0, 60_000, -3_600_000]) {
      clock.value += step;
      timers.runDue();
      await log.publish();
      times.push((await audit(log.reader, signer.publicKey)).timestamp);
    }
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
    await log.close();
  });

  it('keeps the origin and the key of its first start', async () => {
    const folder = temporaryFolder();
    const signer = p256Signer();
    await (await openLog({ folder, signer, origin: 'first.example.com' })).close();
    const again = await openLog({ folder, signer, origin: 'second.example.com' });
    expect(again.reader.identity.origin).toBe('first.example.com');
    expect(Buffer.from(again.reader.checkpoint()).toString()).toMatch(/^first\.example\.com\n/);
    await again.close();
    await expect(openLog({ folder, signer: p256Signer() })).rejects.toThrow('founded with');
    await expect(openLog({ folder: temporaryFolder(), signer, origin: 'two words' })).rejects.toThrow(
      'spaces',
    );
    await expect(openLog({ folder: temporaryFolder(), signer: ed25519Signer() })).rejects.toThrow('P-256');
  });

  it('refuses a second opener with a clear error, and lets it in once the first has closed', async () => {
    const folder = temporaryFolder();
    const signer = p256Signer();
    const first = await openLog({ folder, signer });
    await expect(openLog({ folder, signer })).rejects.toThrow(
      `in use by another process (pid ${process.pid})`,
    );
    await first.close();
    await (await openLog({ folder, signer })).close();
  });

  it('refuses what it cannot carry', async () => {
    const log = await openLog({ folder: temporaryFolder(), signer: p256Signer() });
    await expect(log.log.append(entryOf(0, 2 ** 15))).rejects.toMatchObject({ code: 'request_too_large' });
    const chain = Array.from({ length: 11 }, () => Uint8Array.of(1));
    await expect(log.log.append({ ...entryOf(0), chain })).rejects.toMatchObject({
      code: 'request_too_large',
    });
    await log.close();
    await expect(log.log.append(entryOf(0))).rejects.toMatchObject({ code: 'draining' });
  });
});

describe('the clock set back', () => {
  it('a little: entries keep the time of the newest one', async () => {
    const clock = new ManualClock();
    const log = await openLog({ folder: temporaryFolder(), signer: p256Signer(), clock });
    const before = await log.log.append(entryOf(0));
    clock.value -= 4000;
    expect((await log.log.append(entryOf(1))).timestamp).toBe(before.timestamp);
    await log.close();
  });

  it('much: 503 until it has caught up, across a restart too', async () => {
    const clock = new ManualClock();
    const folder = temporaryFolder();
    const signer = p256Signer();
    let log = await openLog({ folder, signer, clock });
    await log.log.append(entryOf(0));
    clock.value -= 3_600_000;
    await expect(log.log.append(entryOf(1))).rejects.toMatchObject({ code: 'log_unavailable', status: 503 });
    await log.close();
    log = await openLog({ folder, signer, clock });
    await expect(log.log.append(entryOf(1))).rejects.toMatchObject({ code: 'log_unavailable' });
    clock.value += 3_600_000;
    await log.log.append(entryOf(1));
    await log.publish();
    expect((await audit(log.reader, signer.publicKey)).size).toBe(2);
    await log.close();
  });
});
