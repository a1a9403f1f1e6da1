// Edge: the right edge of the tree in memory: every hash and entry that no stored full tile holds yet.

import { type Bytes, concat } from '../encoding/bytes.ts';
import { HASH_SIZE } from './merkle.ts';
import { hashesAt, MAX_LEVEL, TILE_WIDTH } from './tile.ts';

/** A hash that completed at some level of tiles. */
export interface LevelHash {
  readonly level: number;
  readonly hash: Bytes;
}

/** A run of items whose first has the index `base`. */
interface Run<T> {
  base: number;
  items: T[];
}

function cut<T>(run: Run<T>, base: number): T[] {
  const gone = run.items.splice(0, Math.max(0, base - run.base));
  run.base += gone.length;
  return gone;
}

function slice<T>(run: Run<T>, from: number, to: number): T[] | undefined {
  if (from < run.base || to > run.base + run.items.length) return undefined;
  return run.items.slice(from - run.base, to - run.base);
}

const tileStart = (n: number): number => n - (n % TILE_WIDTH);

export class Edge {
  readonly #levels: Run<Bytes>[] = [];
  readonly #entries: Run<Uint8Array>;
  #bytes = 0;

  /** The edge of a tree of `size` leaves, a multiple of 256; `levels[l]` are the hashes of its partial tile at level l. */
  constructor(size = 0, levels: readonly (readonly Bytes[])[] = []) {
    this.#entries = { base: size, items: [] };
    for (let level = 0; level <= MAX_LEVEL; level++)
      this.#levels.push({ base: tileStart(hashesAt(level, size)), items: [...(levels[level] ?? [])] });
  }

  /** Size in bytes of the entries held. */
  get bytes(): number {
    return this.#bytes;
  }

  push(tileLeaves: readonly Uint8Array[], hashes: readonly LevelHash[]): void {
    for (const leaf of tileLeaves) {
      this.#entries.items.push(leaf);
      this.#bytes += leaf.length;
    }
    for (const { level, hash } of hashes) this.#levels[level]?.items.push(hash);
  }

  /** Hashes `from`..`to` (exclusive) of a level, joined; undefined when some are no longer or not yet held. */
  hashes(level: number, from: number, to: number): Bytes | undefined {
    const run = this.#levels[level];
    const found = run && slice(run, from, to);
    if (found === undefined) return undefined;
    const out = new Uint8Array(found.length * HASH_SIZE);
    for (const [i, hash] of found.entries()) out.set(hash, i * HASH_SIZE);
    return out;
  }

  /** TileLeafs `from`..`to` (exclusive), joined. */
  data(from: number, to: number): Bytes | undefined {
    const found = slice(this.#entries, from, to);
    return found && concat(...found);
  }

  /** Lets go what the full tiles of a tree of `size` leaves hold. */
  trim(size: number): void {
    for (const [level, run] of this.#levels.entries()) cut(run, tileStart(hashesAt(level, size)));
    for (const leaf of cut(this.#entries, tileStart(size))) this.#bytes -= leaf.length;
  }
}
