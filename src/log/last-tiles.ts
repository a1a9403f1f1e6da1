// Last tiles: the partial tiles at the right edge of a tree, as objects for those who read the store alone.

import type { Bytes } from '../encoding/bytes.ts';
import type { Edge } from './edge.ts';
import { beginningOf } from './entry.ts';
import { LogDamage } from './journal.ts';
import type { ObjectStore } from './object-store.ts';
import { hashesAt, MAX_LEVEL, TILE_WIDTH, type TileAddress, tilePath } from './tile.ts';

/** Where the last tiles of published sizes are shown beside the full tiles, for stores that are read without this process. */
export interface LastTiles {
  /** Called before the size is published, and after its full tiles stand. Resolves once a crash can no longer lose them. */
  show(edge: Pick<Edge, 'data' | 'hashes'>, size: number): Promise<void>;
  close(): Promise<void>;
}

/** Of a tree of `size` leaves. */
export function lastTiles(size: number): readonly TileAddress[] {
  const out: TileAddress[] = [];
  for (let level = 0; level <= MAX_LEVEL; level++) {
    const count = hashesAt(level, size);
    const [index, width] = [Math.floor(count / TILE_WIDTH), count % TILE_WIDTH];
    if (width === 0) continue;
    if (level === 0) out.push({ level: 'data', index, width });
    out.push({ level, index, width });
  }
  return out;
}

/**
 * Reads them, or the full tiles that took their place; what is asked of the edge begins where they begin. Throws a
 * LogDamage when there is neither.
 */
export async function edgeOf(
  store: Pick<ObjectStore, 'get'>,
  size: number,
): Promise<Pick<Edge, 'data' | 'hashes'>> {
  const tiles = new Map<number | 'data', TileAddress & { readonly bytes: Bytes }>();
  for (const address of lastTiles(size)) {
    const bytes =
      (await store.get(tilePath(address))) ?? (await store.get(tilePath({ ...address, width: TILE_WIDTH })));
    if (bytes === undefined) throw new LogDamage(`${tilePath(address)} is missing`);
    tiles.set(address.level, { ...address, bytes });
  }
  const cut = (level: number | 'data', from: number, to: number): Bytes | undefined => {
    const tile = tiles.get(level);
    const first = tile === undefined ? 0 : tile.index * TILE_WIDTH;
    if (tile === undefined || from !== first || to > first + tile.width) return undefined;
    return beginningOf(tile.bytes, { level, width: to - from });
  };
  return { hashes: cut, data: (from, to) => cut('data', from, to) };
}
