// Partial tiles: the hashes of each level's last tile above full data tiles, remembered so that opening a large log need
// not read hundreds of tiles; the tree that is rebuilt from them is held against what was published all the same.

import { type Bytes, concat } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { TlsReader, uint } from '../encoding/tls.ts';
import type { Edge } from './edge.ts';
import { type Frontier, grow, HASH_SIZE } from './merkle.ts';
import type { ObjectStore } from './object-store.ts';
import { hashesAt, MAX_LEVEL, TILE_WIDTH } from './tile.ts';

/** Hashes by level. Of those remembered, level 0 is always empty, as the size is a multiple of 256. */
export type PartialTiles = readonly (readonly Bytes[])[];

const KEY = 'partial-tiles';

/** The frontier of a tree whose partial tiles are `levels`. */
export function frontierOf(sha256: Sha256, size: number, levels: PartialTiles): Frontier {
  const nodes: Bytes[] = [];
  for (const hashes of levels.toReversed()) nodes.push(...grow(sha256, { size: 0, nodes: [] }, hashes).nodes);
  return { size, nodes };
}

/** Undefined where none are remembered for this size. */
export async function readPartialTiles(store: ObjectStore, size: number): Promise<PartialTiles | undefined> {
  const bytes = await store.get(KEY);
  if (bytes === undefined) return undefined;
  const levels: Bytes[][] = [[]];
  try {
    const reader = new TlsReader(bytes);
    if (reader.uint(8) !== size) return undefined;
    for (let level = 1; level <= MAX_LEVEL; level++) {
      const count = hashesAt(level, size) % TILE_WIDTH;
      levels.push(Array.from({ length: count }, () => reader.bytes(HASH_SIZE).slice()));
    }
    return reader.done ? levels : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Remembers the partial tiles of a tree of `size` leaves, a multiple of 256, in place of those of a smaller one. */
export async function writePartialTiles(store: ObjectStore, size: number, edge: Edge): Promise<void> {
  const parts: Bytes[] = [uint(size, 8)];
  for (let level = 1; level <= MAX_LEVEL; level++) {
    const count = hashesAt(level, size);
    const hashes = edge.hashes(level, count - (count % TILE_WIDTH), count);
    if (hashes === undefined) return; // not at hand; the full tiles serve
    parts.push(hashes);
  }
  await store.replace(KEY, concat(...parts));
}
