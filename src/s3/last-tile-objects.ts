// Last tile objects: the partial tiles of each published size as objects in the bucket, until their full tiles stand.

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
  #shown = new Set<string>();
  /** Before the first: a tile less, as an earlier process may have ended before it removed what that one replaces. */
  #size: number | undefined;
  #removing: Promise<void> = Promise.resolve();
  #mayDelete = true;

  constructor(options: LastTileObjectsOptions) {
    this.#options = options;
  }

  async show(edge: Pick<Edge, 'data' | 'hashes'>, size: number): Promise<void> {
    const shown = await Promise.all(lastTiles(size).map((address) => this.#create(edge, address)));
    this.#shown = new Set(shown);
    const full = this.#fullSince(this.#size, size);
    this.#size = size;
    // What is no longer asked for must not hold up a checkpoint.
    if (full.length > 0) this.#removing = this.#removing.then(() => this.#remove(full));
  }

  /** Resolves once nothing is being removed. */
  close(): Promise<void> {
    return this.#removing;
  }

  async #create(edge: Pick<Edge, 'data' | 'hashes'>, address: TileAddress): Promise<string> {
    const { level, index, width } = address;
    const path = tilePath(address);
    if (this.#shown.has(path)) return path;
    const from = index * TILE_WIDTH;
    const bytes = level === 'data' ? edge.data(from, from + width) : edge.hashes(level, from, from + width);
    if (bytes === undefined) throw new LogDamage(`${path} is due, but its content is gone from memory`);
    await this.#options.store.create(path, bytes);
    return path;
  }

  #fullSince(before: number | undefined, size: number): TileAddress[] {
    const out: TileAddress[] = [];
    for (let level = 0; level <= MAX_LEVEL; level++) {
      const full = Math.floor(hashesAt(level, size) / TILE_WIDTH);
      const first = before === undefined ? full - 1 : Math.floor(hashesAt(level, before) / TILE_WIDTH);
      for (let index = Math.max(0, first); index < full; index++)
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
