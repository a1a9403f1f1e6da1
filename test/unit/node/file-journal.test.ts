import { describe, expect, it } from 'vitest';
import type { Bytes } from '../../../src/encoding/bytes.ts';
import { type Batch, makeBatch } from '../../../src/log/batch.ts';
import { EMPTY, type Frontier, rootOf, type TreeHead } from '../../../src/log/merkle.ts';
import { FileJournal } from '../../../src/node/log/file-journal.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { FakeDisk } from '../../fakes/disk.ts';
import { LogRig } from '../../fakes/log-rig.ts';
import { entryOf } from '../log/support.ts';

const FIRST = '/journal/000000000001.segment';

/** Batches of one entry each that follow on each other. */
function batches(count: number, size = 10): Batch[] {
  let tree: Frontier & TreeHead = { ...EMPTY, root: rootOf(sha256, EMPTY) };
  return Array.from({ length: count }, (_, i) => {
    const entry = { ...entryOf(i, size), chain: [] };
    const made = makeBatch(sha256, tree, [{ entry, fingerprints: [] }], 1_800_000_000_000, () => undefined);
    tree = made.frontier;
    return made.batch;
  });
}

const open = (disk: FakeDisk, segmentSize = 4096): FileJournal =>
  new FileJournal({ folder: '/journal', disk, sha256, segmentSize });

async function recovered(journal: FileJournal, from = 0): Promise<Bytes[]> {
  const out: Bytes[] = [];
  for await (const record of journal.recover(from)) out.push(record);
  return out;
}

async function written(list: readonly Batch[], segmentSize?: number): Promise<FakeDisk> {
  const disk = new FakeDisk();
  const journal = open(disk, segmentSize);
  await recovered(journal);
  for (const { first, bytes } of list) await journal.append({ first, count: 1, bytes });
  await journal.close();
  return disk;
}

describe('a file journal', () => {
  it('gives back what was appended, over as many segments as it takes', async () => {
    const list = batches(40, 200);
    const disk = await written(list);
    expect(disk.paths.length).toBeGreaterThan(4);
    expect(await recovered(open(disk))).toEqual(list.map(({ bytes }) => bytes));
    // And once more after the recovery itself wrote the tail anew.
    expect(await recovered(open(disk))).toEqual(list.map(({ bytes }) => bytes));
  });

  it('carries a record that is larger than a segment', async () => {
    const list = [...batches(3, 2000)];
    expect(await recovered(open(await written(list, 1024), 1024))).toEqual(list.map(({ bytes }) => bytes));
  });

  it('lets go of segments whose records are no longer needed, and of no others', async () => {
    const list = batches(40, 200);
    const disk = await written(list);
    const journal = open(disk);
    await recovered(journal);
    const before = disk.paths.length;
    await journal.discard(20);
    expect(disk.paths.length).toBeLessThan(before);
    const left = await recovered(open(disk), 20);
    expect(left).toEqual(list.slice(20).map(({ bytes }) => bytes));
    await journal.discard(40);
    expect(disk.paths).toHaveLength(1);
  });

  it('does not write after a failed write before it has been recovered', async () => {
    const [first, second, third] = batches(3);
    const disk = new FakeDisk();
    const journal = open(disk);
    await recovered(journal);
    const append = (batch?: Batch): Promise<void> =>
      journal.append({ first: batch?.first ?? 0, count: 1, bytes: batch?.bytes ?? new Uint8Array() });
    await append(first);
    disk.fault = (operation) => (operation === 'syncData' ? 'before' : undefined);
    await expect(append(second)).rejects.toThrow('EIO');
    disk.fault = () => undefined;
    await expect(append(second)).rejects.toThrow('recovered');
    // The system still shows the record, though no disk holds it; after recovery one does.
    expect(await recovered(journal)).toHaveLength(2);
    await append(third);
    expect(await recovered(open(disk.crash(() => 0.99)))).toHaveLength(3);
  });

  it('refuses a record that does not follow on the last', async () => {
    const [first, , third] = batches(3);
    const disk = await written(first ? [first] : []);
    const journal = open(disk);
    await recovered(journal);
    await expect(
      journal.append({ first: 2, count: 1, bytes: third?.bytes ?? new Uint8Array() }),
    ).rejects.toThrow('next');
  });
});

describe('a torn last record', () => {
  const list = batches(4);
  const whole = list.map(({ bytes }) => bytes);
  const length = 12 + (whole[3]?.length ?? 0);
  const start = 16 + whole.slice(0, 3).reduce((sum, { length: n }) => sum + 12 + n, 0);

  it.each(['zeros', 'nothing', 'rubbish'] as const)(
    'is cut off wherever it was torn, with %s after it',
    async (after) => {
      const disk = await written(list);
      for (let kept = 0; kept < length; kept++) {
        const torn = disk.copy();
        torn.tamper(FIRST, (bytes) => {
          const cut = start + kept;
          if (after === 'nothing') return bytes.slice(0, cut);
          // Of what was written, the last byte at least never arrived.
          bytes.fill(0, cut);
          if (after === 'rubbish') bytes.fill(0x5a, cut + 1, cut + 600);
          return bytes;
        });
        const journal = open(torn);
        const found = await recovered(journal);
        // A last byte that is zero anyhow is not missed.
        expect(found.length === 3 || kept === length - 1, `cut after ${kept} bytes`).toBe(true);
        expect(found).toEqual(whole.slice(0, found.length));
        if (found.length === 4) continue;
        await journal.append({ first: 3, count: 1, bytes: whole[3] ?? new Uint8Array() });
        expect(await recovered(open(torn))).toEqual(whole);
      }
    },
  );

  it('is cut off when it was to be the first of its segment', async () => {
    const many = batches(40, 200);
    const disk = await written(many);
    const records = await recovered(open(disk));
    const last = disk.paths.at(-1) ?? '';
    expect(records).toHaveLength(40);
    disk.tamper(last, (bytes) => bytes.fill(0, 16));
    const left = await recovered(open(disk));
    expect(left.length).toBeLessThan(40);
    expect(left).toEqual(records.slice(0, left.length));
  });
});

describe('any other damage', () => {
  it('to a record with another after it is refused, at every byte', async () => {
    const list = batches(3);
    const disk = await written(list);
    const length = 12 + (list[0]?.bytes.length ?? 0);
    for (let at = 16; at < 16 + length; at++) {
      const damaged = disk.copy();
      damaged.tamper(FIRST, (bytes) => bytes.with(at, (bytes[at] ?? 0) ^ 0x10) as Bytes);
      await expect(recovered(open(damaged)), `byte ${at}`).rejects.toMatchObject({ name: 'LogDamage' });
    }
  });

  it('to the last record of a segment with another segment after it is refused', async () => {
    const disk = await written(batches(40, 200));
    const path = disk.paths[1] ?? '';
    disk.tamper(path, (bytes) => bytes.fill(0, bytes.findLastIndex((byte) => byte !== 0) - 5));
    await expect(recovered(open(disk))).rejects.toThrow("not the journal's last record");
  });

  it('to the head of a segment is refused', async () => {
    const disk = await written(batches(2));
    disk.tamper(FIRST, (bytes) => bytes.fill(0, 0, 4));
    await expect(recovered(open(disk))).rejects.toThrow('start');
  });
});

describe('a log whose storage was tampered with', () => {
  /** 600 entries published, 20 more only durable. */
  async function lived(): Promise<LogRig> {
    const rig = new LogRig();
    const log = await rig.open();
    for (let i = 0; i < 6; i++) await rig.append(log, 100);
    await log.publish();
    await rig.append(log, 10);
    await rig.append(log, 10);
    return rig.fork();
  }

  const refusal = async (rig: LogRig, change: (disk: FakeDisk) => void): Promise<void> => {
    const damaged = rig.fork();
    change(damaged.disk);
    await expect(damaged.open()).rejects.toMatchObject({ name: 'LogDamage' });
  };
  const flip = (at: number) => (bytes: Bytes) => bytes.with(at, (bytes[at] ?? 0) ^ 1) as Bytes;

  it('refuses to start, and says why', async () => {
    const rig = await lived();
    const journal = rig.disk.paths.filter((path) => path.startsWith('/journal'));
    // Bit rot in tiles, and tiles gone.
    for (const tile of ['/public/tile/0/000', '/public/tile/0/001']) {
      for (const at of [0, 4096, 8191]) await refusal(rig, (disk) => disk.tamper(tile, flip(at)));
      await refusal(rig, (disk) => disk.tamper(tile, () => undefined));
      await refusal(rig, (disk) => disk.tamper(tile, (bytes) => bytes.slice(1)));
    }
    // Journal segments gone, each that is needed.
    for (const path of journal.slice(1, -2)) await refusal(rig, (disk) => disk.tamper(path, () => undefined));
    await refusal(rig, (disk) => {
      for (const path of journal) disk.tamper(path, () => undefined);
    });
    // The record of what was published gone or malformed.
    await refusal(rig, (disk) => disk.tamper('/guard/published', () => undefined));
    await refusal(rig, (disk) => disk.tamper('/guard/published', (bytes) => bytes.slice(5)));
    const intact = rig.fork();
    await (await intact.open()).close();
  });

  it('refuses an older copy of itself', async () => {
    const rig = new LogRig();
    let log = await rig.open();
    await rig.append(log, 300);
    await log.close();
    const backup = rig.disk.copy();
    log = await rig.open();
    await rig.append(log, 1);
    await log.close();
    let guard: Bytes | undefined;
    rig.disk.tamper('/guard/published', (bytes) => (guard = bytes));
    rig.disk = backup;
    rig.disk.tamper('/guard/published', () => guard);
    await expect(rig.open()).rejects.toThrow('the storage holds 300 entries, but 301 were published');
  });

  it('refuses another tree of the same size', async () => {
    const rig = await lived();
    const other = await lived();
    let guard: Bytes | undefined;
    rig.disk.tamper('/guard/published', (bytes) => (guard = bytes));
    other.clock.value += 1;
    const log = await other.open();
    await other.append(log, 1);
    await log.close();
    expect(guard).toBeDefined();
    const swapped = guard && new TextDecoder().decode(guard).replace(/^(\d+)\n.{4}/, '$1\nAAAA');
    await refusal(rig, (disk) => disk.tamper('/guard/published', () => new TextEncoder().encode(swapped)));
  });
});
