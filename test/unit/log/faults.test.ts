// Every disk operation of a log's life fails once, in every way it can; nothing wrong may ever be signed.

import { describe, expect, it } from 'vitest';
import type { Operation } from '../../fakes/disk.ts';
import { LogRig } from '../../fakes/log-rig.ts';

type Way = 'before' | 'after' | 'half';

/** Founding a log, and a life across the first tile boundary, as Sunlight's fault table has it: 254, then three times three. */
const LIVES = { founding: [2, 2], boundary: [3, 3, 3] } as const;
type Life = keyof typeof LIVES;

const ready = new LogRig();
const first = await ready.open();
await ready.append(first, 254);
await first.close();

function begin(life: Life): LogRig {
  return life === 'founding' ? new LogRig() : ready.fork();
}

/** Lives on whatever fails. */
async function live(rig: LogRig, life: Life): Promise<void> {
  let log = await rig.open().catch(() => undefined);
  // A start that failed says so and is tried again.
  log ??= await rig.open();
  for (const count of LIVES[life]) {
    await rig.append(log, count);
    await log.publish().catch((error: unknown) => rig.errors.push(error));
    // What a timer would do after a second.
    rig.timers.runDue();
    await settle(log);
  }
  await log.close();
}

/** Until an append has a chance again, however many turns the recovery takes. */
async function settle(log: { readonly ready: boolean }): Promise<void> {
  for (let i = 0; i < 10_000 && !log.ready; i++) await Promise.resolve();
  expect(log.ready).toBe(true);
}

interface Case {
  readonly life: Life;
  readonly i: number;
  readonly operation: Operation;
  readonly path: string;
  readonly way: Way;
}

const CASES: Case[] = [];
for (const life of ['founding', 'boundary'] as const) {
  const rig = begin(life);
  let count = 0;
  rig.disk.fault = (operation, path) => {
    const ways: Way[] = operation === 'write' ? ['before', 'after', 'half'] : ['before', 'after'];
    for (const way of ways) CASES.push({ life, i: count, operation, path, way });
    count += 1;
    return undefined;
  };
  await live(rig, life);
}

describe('a disk that fails once', () => {
  it.each(CASES)('$life $i: $operation $path, $way it is done', async ({ life, i, way }) => {
    const rig = begin(life);
    let count = 0;
    rig.disk.fault = () => (count++ === i ? way : undefined);
    await live(rig, life);
    expect(count).toBeGreaterThan(i);
    const log = await rig.open();
    expect(await rig.append(log, 1)).toBe(0);
    await log.publish();
    await rig.check(log);
    await log.close();
  });
});

describe('a disk that is full for a while', () => {
  it('refuses appends, signs nothing, and goes on when there is room again', async () => {
    const rig = ready.fork();
    const log = await rig.open();
    await rig.append(log, 1);
    rig.disk.fault = (operation) => (operation === 'write' ? 'half' : undefined);
    for (let i = 0; i < 3; i++) {
      expect(await rig.append(log, 4)).toBe(4);
      expect(log.ready).toBe(false);
      await expect(log.publish()).rejects.toThrow('ENOSPC');
      rig.timers.runDue();
      await turns();
      expect(log.ready).toBe(false);
    }
    rig.disk.fault = () => undefined;
    rig.timers.runDue();
    await settle(log);
    expect(await rig.append(log, 3)).toBe(0);
    await log.publish();
    // What was refused may have become durable: the outcome was unknown, and a retry would be another entry.
    expect((await rig.check(log)).size).toBeGreaterThanOrEqual(254 + 4);
    await log.close();
  });

  it('publishes what is durable although no more can be written to the journal', async () => {
    const rig = ready.fork();
    const log = await rig.open();
    await rig.append(log, 1);
    rig.disk.fault = (_, path) => (path.startsWith('/journal') ? 'before' : undefined);
    expect(await rig.append(log, 1)).toBe(1);
    await log.publish();
    expect(log.reader.size).toBe(255);
    await rig.check(log);
    await log.close();
  });
});

async function turns(): Promise<void> {
  for (let i = 0; i < 1000; i++) await Promise.resolve();
}
