// Tile: 256 neighbouring hashes of one level, or the entries under them (c2sp.org/static-ct-api, "Merkle Tree Tiles").

import type { Bytes } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { HASH_SIZE, nodeHash } from './merkle.ts';

/** Hashes in a full tile; each level of tiles spans this many times the leaves of the one below. */
export const TILE_WIDTH = 256;
/** Levels of the tree between two levels of tiles. */
export const TILE_HEIGHT = 8;
/** Highest tile level of static-ct: 256^6 exceeds the 2^40 indexes there are. */
export const MAX_LEVEL = 5;

export interface TileAddress {
  /** Level of a hash tile, or 'data' for entries. */
  readonly level: number | 'data';
  readonly index: number;
  /** 1..256; 256 is a full tile. */
  readonly width: number;
}

/** `tile/0/x001/x234/067`, with `.p/<width>` when partial. */
export function tilePath({ level, index, width }: TileAddress): string {
  let digits = String(index % 1000).padStart(3, '0');
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    digits = `x${String(rest % 1000).padStart(3, '0')}/${digits}`;
  return `tile/${level}/${digits}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

const PATH = /^tile\/([0-5]|data)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** Reads only the one canonical spelling; undefined for anything else. */
export function parseTilePath(path: string): TileAddress | undefined {
  const found = PATH.exec(path);
  if (found === null) return undefined;
  const [, level = '', digits = '', width] = found;
  const index = Number(digits.replaceAll(/[x/]/g, ''));
  const address = {
    level: level === 'data' ? level : Number(level),
    index,
    width: width === undefined ? TILE_WIDTH : Number(width),
  } as const;
  return Number.isSafeInteger(index) && tilePath(address) === path ? address : undefined;
}

/** Hashes of `level` that a tree of `size` leaves has. */
export function hashesAt(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** Whether a tree of `size` leaves holds the whole of that tile, at that width. */
export function tileExists({ level, index, width }: TileAddress, size: number): boolean {
  return index * TILE_WIDTH + width <= hashesAt(level === 'data' ? 0 : level, size);
}

/** Root of the perfect subtree over hashes `from`..`to` (exclusive) of a hash tile. */
export function subtreeHash(sha256: Sha256, tile: Uint8Array, from: number, to: number): Bytes {
  let row: Bytes[] = [];
  for (let i = from; i < to; i++) row.push(tile.slice(i * HASH_SIZE, (i + 1) * HASH_SIZE));
  while (row.length > 1) {
    const above: Bytes[] = [];
    for (let i = 0; i < row.length; i += 2) {
      const [left, right] = [row[i], row[i + 1]];
      if (left === undefined || right === undefined)
        throw new RangeError(`${to - from} hashes are not a perfect subtree`);
      above.push(nodeHash(sha256, left, right));
    }
    row = above;
  }
  const [root] = row;
  if (root?.length !== HASH_SIZE) throw new RangeError('the tile is shorter than the subtree');
  return root;
}
