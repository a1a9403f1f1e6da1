// Bucket snapshot: a log's bucket as it was at one moment, read while another process may be writing it; changes nothing.

import type { Bytes } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { readBatch } from '../log/batch.ts';
import type { Finding } from '../log/fsck.ts';
import { LogDamage } from '../log/journal.ts';
import type { ObjectStore } from '../log/object-store.ts';
import { readPublished } from '../log/published.ts';
import { parseTilePath, TILE_WIDTH, type TileAddress } from '../log/tile.ts';
import type { Bucket } from './bucket.ts';
import { PUBLIC } from './public-objects.ts';
import { MARKER_SIZE, MOST_ENTRIES, type Place, readWalKey, WAL, walKey } from './wal-key.ts';

/** Records are emptied once in 256 entries: it takes bad luck to meet that twice. */
const ATTEMPTS = 20;
/** Records read at once. */
const PARALLEL = 16;

export interface BucketSnapshot {
  readonly guard: Pick<ObjectStore, 'get'>;
  readonly store: Pick<ObjectStore, 'get'>;
  /** Records from the last full tile on. */
  readonly journal: AsyncIterable<Bytes>;
  readonly lastTiles: readonly TileAddress[];
  /** What is wrong with the keys below `wal/` and the records of old that were not emptied. */
  readonly findings: readonly Finding[];
}

/** Throws a BucketError when the bucket cannot be read, an Error when it does not hold still. */
export async function readBucket(bucket: Bucket, sha256: Sha256): Promise<BucketSnapshot> {
  const findings = await journalFindings(bucket, sha256);
  // Before the records are read: what a tile holds was in a record first.
  const lastTiles: TileAddress[] = [];
  for await (const { key } of bucket.list(`${PUBLIC}tile/`)) {
    const address = parseTilePath(key.slice(PUBLIC.length));
    if (address !== undefined && address.width < TILE_WIDTH) lastTiles.push(address);
  }
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    // In this order: a checkpoint is written after `published` and after the records of its entries.
    const checkpoint = await bucket.get(`${PUBLIC}checkpoint`);
    const published = await bucket.get('published');
    const { records, emptied } = await recordsSince(bucket, await tiledSize(published?.bytes));
    // Emptied as new full tiles hold it, or where nothing was published meanwhile, wrongly.
    if (emptied && (await bucket.get('published'))?.etag !== published?.etag) continue;
    return {
      guard: {
        get: async (key) => (key === 'published' ? published?.bytes : (await bucket.get(key))?.bytes),
      },
      store: {
        get: async (key) =>
          key === 'checkpoint' ? checkpoint?.bytes : (await bucket.get(PUBLIC + key))?.bytes,
      },
      journal: (async function* () {
        yield* records;
      })(),
      lastTiles,
      findings,
    };
  }
  throw new Error('the log grows faster than its bucket can be read: look again when it is calmer');
}

async function tiledSize(published: Bytes | undefined): Promise<number> {
  try {
    const { size } = (await readPublished({ get: async () => published })) ?? { size: 0 };
    return size - (size % TILE_WIDTH);
  } catch (error) {
    if (error instanceof LogDamage) return 0; // it is told of where it is read
    throw error;
  }
}

/** What is stored from the record on that holds entry `tiled`, and whether one that belongs to it was empty. */
async function recordsSince(
  bucket: Bucket,
  tiled: number,
): Promise<{ readonly records: readonly Bytes[]; readonly emptied: boolean }> {
  const after = tiled > MOST_ENTRIES ? walKey({ first: tiled - MOST_ENTRIES - 1, markers: 0 }) : undefined;
  const keys: string[] = [];
  let emptied = false;
  for await (const { key, size } of bucket.list(WAL, after)) {
    if (size === MARKER_SIZE) continue;
    if (size > 0) keys.push(key);
    else emptied ||= (readWalKey(key)?.first ?? 0) >= tiled;
  }
  const records: Bytes[] = [];
  for (let i = 0; i < keys.length; i += PARALLEL) {
    const read = await Promise.all(keys.slice(i, i + PARALLEL).map((key) => bucket.get(key)));
    for (const stored of read) {
      if (stored?.bytes.length === 0) emptied = true;
      else if (stored !== undefined) records.push(stored.bytes);
    }
  }
  return { records, emptied };
}

/** Every index that was ever written has its key for good; a record that was not emptied is whole and ends where the next begins. */
async function journalFindings(bucket: Bucket, sha256: Sha256): Promise<Finding[]> {
  const findings: Finding[] = [];
  /** Where the next record begins at the least, and at the most. */
  let [least, most] = [0, 0];
  const next = (key: string, { first }: Place): void => {
    if (first < least) findings.push({ where: key, what: `entry ${first} is in the record before it, too` });
    if (first > most)
      findings.push({
        where: key,
        what: `the keys between index ${least} and it are gone: they may never be deleted`,
      });
  };
  for await (const { key, size } of bucket.list(WAL)) {
    const place = readWalKey(key);
    if (place === undefined) {
      findings.push({ where: key, what: 'is no object of a journal' });
      continue;
    }
    if (size === MARKER_SIZE) continue;
    next(key, place);
    [least, most] = [place.first + 1, place.first + MOST_ENTRIES];
    const bytes = size === 0 ? undefined : (await bucket.get(key))?.bytes;
    // Emptied since it was listed.
    if (bytes === undefined || bytes.length === 0) continue;
    const batch = readBatch(sha256, bytes);
    if (batch === undefined) findings.push({ where: key, what: 'the record is damaged' });
    else if (batch.first !== place.first)
      findings.push({ where: key, what: `the record is that of index ${batch.first}` });
    else least = most = batch.first + batch.entries.length;
  }
  return findings;
}
