// Recovery: the tree as it stands in full tiles and journal, every hash between them recomputed.

import { type Bytes, equal } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { readBatch, type StoredBatch } from './batch.ts';
import { Edge, type LevelHash } from './edge.ts';
import { type Journal, LogDamage } from './journal.ts';
import { type Frontier, grow, HASH_SIZE, rootOf, type TreeHead } from './merkle.ts';
import type { ObjectStore } from './object-store.ts';
import { frontierOf, readPartialTiles } from './partial-tiles.ts';
import type { Published } from './published.ts';
import { hashesAt, MAX_LEVEL, subtreeHash, TILE_HEIGHT, TILE_WIDTH, tilePath } from './tile.ts';

/** The newest durable state of the tree. */
export interface Head extends Frontier, TreeHead {
  /** Of the newest entry. */
  readonly timestamp: number;
}

export interface Recovered {
  readonly head: Head;
  readonly edge: Edge;
}

async function fullTile(store: ObjectStore, level: number, index: number): Promise<Bytes> {
  const path = tilePath({ level, index, width: TILE_WIDTH });
  const tile = await store.get(path);
  if (tile === undefined)
    throw new LogDamage(`${path} is missing, though a checkpoint that covers it was published`);
  if (tile.length !== TILE_WIDTH * HASH_SIZE) throw new LogDamage(`${path} has ${tile.length} bytes`);
  return tile;
}

/** The hashes of each level's last, partial tile in a tree of `size` leaves, a multiple of 256. */
async function partialTiles(sha256: Sha256, store: ObjectStore, size: number): Promise<Bytes[][]> {
  const levels: Bytes[][] = [[]];
  for (let level = 1; level <= MAX_LEVEL; level++) {
    const count = hashesAt(level, size);
    const hashes: Bytes[] = [];
    for (let i = count - (count % TILE_WIDTH); i < count; i++)
      hashes.push(subtreeHash(sha256, await fullTile(store, level - 1, i), 0, TILE_WIDTH));
    levels.push(hashes);
  }
  return levels;
}

/**
 * Reads the tree back. Throws a LogDamage when tiles, journal and `published` contradict each other: a record or tile is
 * missing or altered, or the storage is older than what was published. `remembered` may hold partial tiles.
 */
export async function recoverTree(
  sha256: Sha256,
  store: ObjectStore,
  journal: Journal,
  published: Published | undefined,
  remembered?: ObjectStore,
): Promise<Recovered> {
  const tiled = Math.floor((published?.size ?? 0) / TILE_WIDTH) * TILE_WIDTH;
  const known = remembered && (await readPartialTiles(remembered, tiled));
  const levels = known ?? (await partialTiles(sha256, store, tiled));
  const edge = new Edge(tiled, levels);
  let frontier = frontierOf(sha256, tiled, levels);
  let root = rootOf(sha256, frontier);
  let timestamp = published?.timestamp ?? 0;
  let seen = published === undefined || agrees(published, { size: tiled, root });
  for await (const bytes of journal.recover(tiled)) {
    const batch = readBatch(sha256, bytes);
    if (batch === undefined) throw new LogDamage(`the journal's record at index ${frontier.size} is damaged`);
    if (batch.after.size <= tiled) continue;
    if (batch.first < frontier.size && frontier.size !== tiled)
      throw new LogDamage(`the journal holds the entries from ${batch.first} on twice`);
    const next = replay(sha256, frontier, root, batch, edge);
    frontier = next;
    root = next.root;
    timestamp = Math.max(timestamp, batch.timestamp);
    seen ||= published !== undefined && agrees(published, next);
  }
  if (!seen && published !== undefined) {
    throw new LogDamage(
      frontier.size < published.size
        ? `the storage holds ${frontier.size} entries, but ${published.size} were published: it is older than the log`
        : `the tree of ${published.size} entries that was published is not the one in storage`,
    );
  }
  return { head: { ...frontier, root, timestamp }, edge };
}

function agrees(published: Published, { size, root }: TreeHead): boolean {
  if (published.size !== size) return false;
  if (equal(published.root, root)) return true;
  throw new LogDamage(`the root over ${size} entries is not the one that was published`);
}

/** Adds one record to the tree, unless it does not follow on it. Entries that full tiles hold already are passed over. */
function replay(
  sha256: Sha256,
  before: Frontier,
  root: Bytes,
  batch: StoredBatch,
  edge: Edge,
): Frontier & TreeHead {
  if (batch.first > before.size)
    throw new LogDamage(`the journal lacks the entries from ${before.size} to ${batch.first - 1}`);
  if (batch.first === before.size && !equal(batch.previousRoot, root))
    throw new LogDamage(`the journal's record at index ${batch.first} belongs to another tree`);
  const entries = batch.entries.slice(before.size - batch.first);
  const hashes: LevelHash[] = [];
  const grown = grow(
    sha256,
    before,
    entries.map(({ hashInput }) => sha256(hashInput)),
    (height, _, hash) => {
      if (height % TILE_HEIGHT === 0) hashes.push({ level: height / TILE_HEIGHT, hash });
    },
  );
  for (const [i, { entry }] of entries.entries())
    if (entry.index !== before.size + i)
      throw new LogDamage(`entry ${before.size + i} says that it is ${entry.index}`);
  const after = { ...grown, root: rootOf(sha256, grown) };
  if (!equal(after.root, batch.after.root) || after.size !== batch.after.size)
    throw new LogDamage(`the root over ${after.size} entries is not the one in the journal`);
  edge.push(
    entries.map(({ tileLeaf }) => tileLeaf),
    hashes,
  );
  return after;
}
