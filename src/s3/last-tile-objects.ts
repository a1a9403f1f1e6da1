// Last tile objects: the partial tiles of each published size as objects in the bucket, until their full tiles stand.

import { equal } from '../encoding/bytes.ts';
import type { Edge } from '../log/edge.ts';
import { LogDamage } from '../log/journal.ts';
import { type LastTiles, lastTiles } from '../log/last-tiles.ts';
import type { ObjectStore } from '../log/object-store.ts';
import { hashesAt, MAX_LEVEL, TILE_WIDTH, type TileAddress, tilePath } from '../log/tile.ts';
import { type Bucket, BucketError } from './bucket.ts';
import { PUBLIC } from './public-objects.ts';
import type { Term } from './term.ts';

/** Objects deleted at once. */
const PARALLEL = 8;

export interface LastTileObjectsOptions {
  readonly bucket: Bucket;
  /** The public objects. */
  readonly store: ObjectStore;
  readonly term: Term;
  readonly onError: (error: unknown) => void;
}

export class LastTileObjects implements LastTiles {
  readonly #options: LastTileObjectsOptions;
  readonly #shown = new Set<string>();
  /** Before the first: a tile less, as an earlier process may have ended before it removed what that one replaces. */
  #size: number | undefined;
  #removing: Promise<void> = Promise.resolve();
  #mayDelete = true;

  constructor(options: LastTileObjectsOptions) {
    this.#options = options;
  }

  async show(edge: Pick<Edge, 'data' | 'hashes'>, size: number): Promise<void> {
    const due = lastTiles(size);
    await Promise.all(due.map((address) => this.#create(edge, address)));
    const paths = new Set(due.map(tilePath));
    for (const path of this.#shown) if (!paths.has(path)) this.#shown.delete(path);
    const full = this.#replaced(this.#size, size);
    this.#size = size;
    // What is no longer asked for must not hold up a checkpoint.
    if (full.length > 0) this.#removing = this.#removing.then(() => this.#remove(full));
  }

  /** Resolves once nothing is being removed. */
  close(): Promise<void> {
    return this.#removing;
  }

  async #create(edge: Pick<Edge, 'data' | 'hashes'>, address: TileAddress): Promise<void> {
    const { level, index, width } = address;
    const path = tilePath(address);
    if (this.#shown.has(path)) return;
    const from = index * TILE_WIDTH;
    const bytes = level === 'data' ? edge.data(from, from + width) : edge.hashes(level, from, from + width);
    if (bytes === undefined) throw new LogDamage(`${path} is due, but its content is gone from memory`);
    // An earlier process may have shown it: reading costs less than to be refused with a large object.
    const stored = this.#size === undefined ? await this.#options.store.get(path) : undefined;
    if (stored === undefined || !equal(stored, bytes)) await this.#options.store.create(path, bytes);
    this.#shown.add(path);
  }

  /** The full tiles of `size` that have partial ones beside them. */
  #replaced(before: number | undefined, size: number): TileAddress[] {
    const out: TileAddress[] = [];
    for (let level = 0; level <= MAX_LEVEL; level++) {
      const full = Math.floor(hashesAt(level, size) / TILE_WIDTH);
      // Only the tile at the edge of the size before was ever shown in part.
      const index = before === undefined ? full - 1 : Math.floor(hashesAt(level, before) / TILE_WIDTH);
      if (index < 0 || index >= full) continue;
      for (const kind of level === 0 ? (['data', 0] as const) : [level])
        out.push({ level: kind, index, width: TILE_WIDTH });
    }
    return out;
  }

  /** Removes the partial tiles that these full ones replace. */
  async #remove(full: readonly TileAddress[]): Promise<void> {
    const { bucket, term, onError } = this.#options;
    try {
      for (const address of full) {
        const keys: string[] = [];
        if (!this.#mayDelete || term.isOver) return;
        for await (const { key } of bucket.list(`${PUBLIC}${tilePath(address)}.p/`)) keys.push(key);
        for (let i = 0; i < keys.length && !term.isOver; i += PARALLEL)
          await Promise.all(keys.slice(i, i + PARALLEL).map((key) => bucket.delete(key)));
      }
    } catch (cause) {
      // They cost room and nothing else; credentials need not be allowed to delete.
      if (cause instanceof BucketError && cause.status === 403) this.#mayDelete = false;
      onError(new Error('partial tiles that full ones have replaced stay in the bucket', { cause }));
    }
  }
}
