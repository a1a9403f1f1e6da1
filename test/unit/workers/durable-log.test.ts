// The edge's log dies, or its bucket fails, at every step of append and publish: no SCT without its entry, and no fork.

import { describe, expect, it } from 'vitest';
import { DurableLogRig, settle } from '../../fakes/durable-log-rig.ts';
import { type Fate, ObjectDied, type Step } from '../../fakes/durable-object.ts';

/** Founding a log, and a life across the first tile boundary. */
const LIVES = { founding: [2, 2], boundary: [3, 3, 3] } as const;
type Life = keyof typeof LIVES;

const ready = new DurableLogRig();
const first = ready.start();
await ready.append(first, 254);
await ready.ring(first);

const begin = (life: Life): DurableLogRig => (life === 'founding' ? new DurableLogRig() : ready.fork());

/** One life of the object, whatever happens to it. */
async function live(rig: DurableLogRig, life: Life): Promise<void> {
  const log = startOf(rig);
  if (log === undefined) return;
  for (const count of LIVES[life]) {
    await rig.append(log, count);
    await rig.ring(log);
  }
}

/** Undefined where the object died while it was made. */
function startOf(rig: DurableLogRig): ReturnType<DurableLogRig['start']> | undefined {
  try {
    return rig.start();
  } catch (error) {
    if (error instanceof ObjectDied) return undefined;
    throw error;
  }
}

const FATES: Readonly<Record<Step, readonly Fate[]>> = {
  write: ['before', 'after'],
  sync: ['before', 'after'],
  alarm: ['before', 'after'],
  put: ['before', 'after', 'refused', 'lost'],
  get: ['before', 'refused'],
};

interface Case {
  readonly life: Life;
  readonly i: number;
  readonly step: Step;
  readonly detail: string;
  readonly fate: Fate;
}

const CASES: Case[] = [];
for (const life of ['founding', 'boundary'] as const) {
  const rig = begin(life);
  let count = 0;
  rig.platform.plan = (step, detail) => {
    for (const fate of FATES[step])
      CASES.push({ life, i: count, step, detail: detail.replace(/\s+/g, ' ').trim().slice(0, 40), fate });
    count += 1;
    return undefined;
  };
  await live(rig, life);
}

it('goes through every step without a fault', async () => {
  const rig = begin('boundary');
  await live(rig, 'boundary');
  const log = rig.start();
  await rig.ring(log);
  expect((await rig.check(log)).size).toBe(263);
  expect(rig.errors).toEqual([]);
  expect([...rig.platform.objects.keys()].filter((key) => key.startsWith('tile/'))).toEqual([
    'tile/data/000',
    'tile/0/000',
  ]);
});

describe('a step that fails', () => {
  it.each(CASES)('$life $i: $step $detail: $fate', async ({ life, i, fate }) => {
    const rig = begin(life);
    let count = 0;
    rig.platform.plan = () => (count++ === i ? fate : undefined);
    await live(rig, life);
    expect(count).toBeGreaterThan(i);
    rig.platform.plan = () => undefined;

    // The next life is woken by the alarm alone: no request has to come for what is durable to become public.
    const woken = rig.start();
    const rang = await rig.ring(woken);
    for (let rings = 1; rings < 3; rings++) await rig.ring(woken);
    const shown = rig.platform.shownSize();
    const before = await rig.check(woken);
    // Only what an object had not got as far as its first durable write for may be without an alarm.
    expect(rang || before.size === 0).toBe(true);
    expect(shown).toBe(before.size); // not only after somebody has asked
    expect(rig.platform.alarm !== undefined || before.size === 0).toBe(true);

    expect(await rig.append(woken, 3)).toBe(0);
    await rig.ring(woken);
    const after = await rig.check(woken);
    expect(after.size).toBe(before.size + 3);
  });
});

describe('an object that wakes up', () => {
  it('after a commit that it died in publishes within a second or so', async () => {
    const rig = begin('boundary');
    const dying = rig.start();
    await rig.append(dying, 1);
    await rig.ring(dying);
    rig.platform.plan = (step) => (step === 'sync' ? 'after' : undefined);
    expect(await rig.append(dying, 1)).toBe(1);
    rig.platform.plan = () => undefined;
    // The fresh tree head that an idle log signs is a minute away.
    expect((rig.platform.alarm ?? Number.POSITIVE_INFINITY) - rig.clock.value).toBeLessThanOrEqual(1000);
    const woken = rig.start();
    expect(await rig.ring(woken)).toBe(true);
    expect(rig.platform.shownSize()).toBe(256);
  });

  it('reads no tile back, though its tree reaches over one', async () => {
    const rig = begin('boundary');
    await live(rig, 'boundary');
    const read: string[] = [];
    rig.platform.plan = (step, key) => {
      if (step === 'get') read.push(key);
      return undefined;
    };
    expect(await rig.append(rig.start(), 1)).toBe(0);
    expect(read).toContain('checkpoint');
    expect(read.filter((key) => key.startsWith('tile/'))).toEqual([]);
  });
});

describe('two objects of the same name', () => {
  it('an older one that wakes up in a commit signs nothing', async () => {
    const rig = begin('boundary');
    const older = rig.start();
    await rig.append(older, 1);
    rig.platform.plan = (step) => (step === 'sync' ? 'waits' : undefined);
    const late = rig.append(older, 3);
    await settle();
    rig.platform.plan = () => undefined;

    const newer = rig.start();
    expect(await rig.append(newer, 5)).toBe(0);
    await rig.ring(newer);
    rig.platform.resume();
    expect(await late).toBe(3);
    expect((await rig.check(newer)).size).toBe(254 + 1 + 5);
  });

  it('an older one that wakes up before it publishes does not take the public back', async () => {
    const rig = begin('boundary');
    const older = rig.start();
    await rig.append(older, 1);
    rig.platform.plan = (step, key) => (step === 'put' && key === 'checkpoint' ? 'waits' : undefined);
    await rig.ring(older);
    rig.platform.plan = () => undefined;

    const newer = rig.start();
    await rig.append(newer, 5);
    await rig.ring(newer);
    rig.platform.resume();
    await settle();
    expect((await rig.check(newer)).size).toBe(254 + 1 + 5);
    expect(rig.errors.map(String)).toContain(
      'LogDamage: another writer has published a larger tree into the bucket',
    );
  });

  it.each(['put tile', 'sync'])('an older one that wakes up at its %s leaves one tree', async (where) => {
    const rig = begin('boundary');
    const older = rig.start();
    await rig.append(older, 3);
    rig.platform.plan = (step, key) =>
      (where === 'sync' ? step === 'sync' : key.startsWith('tile/')) ? 'waits' : undefined;
    const ringing = rig.ring(older);
    await settle();
    rig.platform.plan = () => undefined;
    const newer = rig.start();
    await rig.append(newer, 5);
    await rig.ring(newer);
    rig.platform.resume();
    await ringing;
    expect((await rig.check(newer)).size).toBe(254 + 3 + 5);
  });
});

describe('a bucket that does not belong to the log', () => {
  it('with a larger tree is refused, and nothing is signed over it', async () => {
    const rig = ready.fork();
    const ahead = ready.fork();
    const other = ahead.start();
    await ahead.append(other, 7);
    await ahead.ring(other);
    for (const [key, object] of ahead.platform.objects) rig.platform.objects.set(key, object);
    const log = rig.start();
    expect(await rig.append(log, 1)).toBe(1);
    expect(String(rig.errors[0])).toBe(
      'LogDamage: the bucket shows 261 entries, but this log has published 254',
    );
  });

  it('with another tree of the same size is refused', async () => {
    const rig = new DurableLogRig();
    const other = new DurableLogRig();
    for (const each of [rig, other]) {
      const log = each.start();
      each.clock.value += each === rig ? 0 : 1000;
      await each.append(log, 2);
      await each.ring(log);
    }
    for (const [key, object] of other.platform.objects) rig.platform.objects.set(key, object);
    expect(await rig.append(rig.start(), 1)).toBe(1);
    expect(String(rig.errors.at(-1))).toBe('LogDamage: the bucket shows another tree of 2 entries');
  });

  it('with a tile of other content is refused, and no checkpoint covers it', async () => {
    const rig = ready.fork();
    rig.platform.objects.set('tile/0/000', { bytes: new Uint8Array(8192), etag: 'of somebody else' });
    const log = rig.start();
    await rig.append(log, 3);
    await rig.ring(log);
    expect(rig.errors.map(String)).toContain('LogDamage: tile/0/000 stands in the bucket with other content');
    expect(rig.platform.shownSize()).toBe(254);
  });

  it('of a log that is gone is not taken over by a new one', async () => {
    const rig = new DurableLogRig();
    for (const [key, object] of ready.platform.objects) rig.platform.objects.set(key, object);
    expect(await rig.append(rig.start(), 1)).toBe(1);
    expect(String(rig.errors[0])).toContain('but this log has published 0');
  });
});
