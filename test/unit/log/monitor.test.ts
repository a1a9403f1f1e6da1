import { afterEach, describe, expect, it } from 'vitest';
import { fromUtf8, utf8 } from '../../../src/encoding/bytes.ts';
import { LogClient } from '../../../src/log/log-client.ts';
import { Alarm, BEGINNING, Monitor, type Progress } from '../../../src/log/monitor.ts';
import type { OpenLog } from '../../../src/log/open-log.ts';
import { nativeVerifier as verifier } from '../../../src/node/system/native-verifier.ts';
import { flip, ShownLog } from '../../fakes/shown-log.ts';
import { entryOf, ManualClock, ORIGIN, openLog, p256Signer, sha256, temporaryFolder } from './support.ts';

const signer = p256Signer();
const opened: OpenLog[] = [];
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
});

interface Rig {
  readonly log: OpenLog;
  readonly clock: ManualClock;
  readonly shown: ShownLog;
  readonly monitor: Monitor;
  /** Indexes of the entries that the monitor told of. */
  readonly told: number[];
  readonly saved: Progress[];
  readonly client: LogClient;
  grow(count: number, kind?: number): Promise<void>;
  look(): Promise<string>;
}

async function rig(progress: Progress = BEGINNING, onEntries?: () => void): Promise<Rig> {
  const clock = new ManualClock();
  const log = await openLog({ folder: temporaryFolder(), signer, clock });
  opened.push(log);
  const shown = new ShownLog(log.reader);
  const client = new LogClient({
    log: { origin: ORIGIN, publicKey: signer.publicKey },
    get: shown.get,
    sha256,
    verifier,
  });
  const told: number[] = [];
  const saved: Progress[] = [];
  const options = {
    client,
    sha256,
    staleAfter: 300_000,
    onEntries(entries: readonly { readonly index: number }[]) {
      onEntries?.();
      told.push(...entries.map(({ index }) => index));
    },
    onProgress: (reached: Progress) => void saved.push(reached),
  };
  const monitor = new Monitor(options, progress);
  return {
    log,
    clock,
    shown,
    monitor,
    told,
    saved,
    client,
    async grow(count, kind = 0) {
      clock.value += 1000;
      const next = log.size;
      await Promise.all(
        Array.from({ length: count }, (_, i) => log.log.append(entryOf(kind * 100_000 + next + i, 20))),
      );
      await log.publish();
    },
    async look() {
      return monitor.look(clock.value).then(
        ({ size }) => `${size} entries`,
        (error: unknown) => {
          if (!(error instanceof Alarm)) throw error;
          return error.kind;
        },
      );
    },
  };
}

const upTo = (end: number, start = 0): number[] => Array.from({ length: end - start }, (_, i) => start + i);

describe('a monitor', () => {
  it('is told of every entry once, however the log grows', async () => {
    const { grow, look, told } = await rig();
    expect(await look()).toBe('0 entries');
    let size = 0;
    for (const count of [1, 1, 253, 1, 1, 255, 600, 0, 5000]) {
      await grow(count);
      size += count;
      expect(await look()).toBe(`${size} entries`);
      expect(told).toEqual(upTo(size));
    }
    expect(await look()).toBe(`${size} entries`);
    expect(told).toHaveLength(size);
  });

  it('goes on where it was, from what it kept at any point', async () => {
    const first = await rig();
    for (let i = 0; i < 2; i++) await first.grow(5000);
    await first.look();
    expect(first.saved.map(({ examined }) => examined.size)).toEqual([4096, 8192, 10_000, 10_000]);
    for (const progress of first.saved) {
      const told: number[] = [];
      const again = new Monitor(
        {
          client: first.client,
          sha256,
          staleAfter: 300_000,
          onEntries: (entries) => void told.push(...entries.map(({ index }) => index)),
        },
        progress,
      );
      await again.look(first.clock.value);
      expect(told).toEqual(upTo(10_000, progress.examined.size));
    }
  });

  it('may begin anywhere, and then holds the log to that beginning', async () => {
    const { grow, client, clock } = await rig();
    await grow(700);
    const checkpoint = await client.treeHead();
    for (const size of [1, 256, 511, 512, 699, 700]) {
      const told: number[] = [];
      const progress = { checkpoint, examined: await client.frontierOf(size, checkpoint) };
      const onEntries = (entries: readonly { readonly index: number }[]): void =>
        void told.push(...entries.map(({ index }) => index));
      await new Monitor({ client, sha256, staleAfter: 300_000, onEntries }, progress).look(clock.value);
      expect(told).toEqual(upTo(700, size));
    }
  });

  it('tells of entries again where they were not taken', async () => {
    let refuse = true;
    const { grow, look, told, saved } = await rig(BEGINNING, () => {
      if (refuse) throw new Error('the webhook is away');
    });
    await grow(5);
    await expect(look()).rejects.toThrow('the webhook is away');
    expect(saved).toEqual([]);
    refuse = false;
    expect(await look()).toBe('5 entries');
    expect(told).toEqual(upTo(5));
  });

  it('reads a full tile where the partial one is gone', async () => {
    const { grow, look, shown, told } = await rig();
    await grow(300);
    shown.freeze();
    await grow(300);
    for (const level of ['0', 'data']) shown.lies.set(`tile/${level}/001.p/44`, () => undefined);
    expect(await look()).toBe('300 entries');
    expect(told).toEqual(upTo(300));
  });

  it('reads no tile twice that it knows', async () => {
    const { grow, look, shown } = await rig();
    await grow(600);
    await look();
    shown.asked.length = 0;
    await look();
    expect(shown.asked).toEqual(['checkpoint']);
  });
});

describe('the alarm is raised', () => {
  /** Another log under the same name and key, as a log that shows two faces has it. */
  async function otherFace({ shown }: Rig, count: number): Promise<Rig> {
    const other = await rig();
    await other.grow(count, 7);
    shown.reader = other.log.reader;
    return other;
  }

  it.each([
    [10, 10],
    [10, 11],
    [256, 300],
    [300, 600],
  ])('when a tree of %i is followed by another of %i', async (before, after) => {
    const one = await rig();
    await one.grow(before);
    await one.look();
    const last = one.log.reader.checkpoint();
    const other = await otherFace(one, after);
    const alarm = await one.monitor.look(one.clock.value).catch((error: unknown) => error);
    expect(alarm).toMatchObject({ kind: 'fork', evidence: [{ size: before }, { size: after }] });
    // Both notes are there for everyone to see, under good signatures.
    const { evidence } = alarm as Alarm;
    expect(evidence.map(({ note }) => fromUtf8(note))).toEqual(
      [last, other.log.reader.checkpoint()].map((note) => fromUtf8(note)),
    );
    for (const { note } of evidence) await one.client.verify(note);
    expect(one.told).toEqual(upTo(before));
    expect(one.monitor.progress.checkpoint?.size).toBe(before);
    // It stays a fork, however often one looks.
    expect(await one.look()).toBe('fork');
  });

  it('when the log goes back', async () => {
    const one = await rig();
    await one.grow(10);
    await one.look();
    const other = await rig();
    await other.grow(5);
    one.shown.reader = other.log.reader;
    expect(await one.look()).toBe('rollback');
  });

  it('when an older head of the same tree comes back', async () => {
    const { grow, look, shown, log, clock } = await rig();
    await grow(10);
    shown.freeze();
    clock.value += 60_000;
    shown.thaw();
    const old = log.reader.checkpoint();
    await log.publish();
    await look();
    shown.lies.set('checkpoint', () => old);
    expect(await look()).toBe('rollback');
  });

  it('when no head is signed any more, after all else was looked at', async () => {
    const { grow, look, clock, told, log } = await rig();
    await grow(3);
    clock.value += 300_001;
    expect(await look()).toBe('stale');
    expect(told).toEqual(upTo(3));
    await log.publish();
    expect(await look()).toBe('3 entries');
  });

  it.each<
    [
      string,
      string,
      (bytes: Uint8Array<ArrayBuffer> | undefined) => Uint8Array<ArrayBuffer> | undefined,
      string,
    ]
  >([
    ['an entry is changed', 'tile/data/001.p/44', flip(60), 'entries'],
    ['a data tile is cut', 'tile/data/000', (b) => b?.slice(0, -3), 'mistrust'],
    ['a data tile lacks an entry', 'tile/data/001.p/44', (b) => b?.slice(0, 0), 'mistrust'],
    ['a data tile is missing', 'tile/data/000', () => undefined, 'mistrust'],
    ['a hash tile is missing', 'tile/0/000', () => undefined, 'mistrust'],
    ['a hash tile is cut', 'tile/0/001.p/44', (b) => b?.slice(0, 40), 'mistrust'],
    ['a hash is changed', 'tile/0/000', flip(100), 'mistrust'],
    ['the checkpoint is missing', 'checkpoint', () => undefined, 'mistrust'],
    ['the checkpoint is no note', 'checkpoint', () => utf8('hello'), 'mistrust'],
    [
      'the checkpoint is of another log',
      'checkpoint',
      (b) => utf8(fromUtf8(b ?? utf8('')).replaceAll(ORIGIN, 'other.example.com')),
      'mistrust',
    ],
    [
      'the checkpoint says more than was signed',
      'checkpoint',
      (b) => utf8(fromUtf8(b ?? utf8('')).replace('\n300\n', '\n301\n')),
      'mistrust',
    ],
  ])('when %s', async (_, path, lie, outcome) => {
    const { grow, look, shown, told } = await rig();
    await grow(200);
    await look();
    await grow(100);
    shown.lies.set(path, lie);
    expect(await look()).toBe(outcome);
    expect(told).toEqual(upTo(200));
    shown.lies.clear();
    expect(await look()).toBe('300 entries');
  });
});
