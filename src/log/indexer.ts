// Indexer: keeps the leaf index in step with the tree, and fills it again where it lags far behind.

import type { Bytes } from '../encoding/bytes.ts';
import type { LeafIndex } from './leaf-index.ts';
import { HASH_SIZE } from './merkle.ts';
import { TILE_WIDTH } from './tile.ts';

/** A checkpoint waits for an index that is this far behind, no more: it may be filling from the start. */
const NEAR = 16 * TILE_WIDTH;

export class Indexer {
  readonly #index: LeafIndex;
  readonly #hashes: (from: number, to: number) => Promise<Bytes>;
  #running: Promise<void> | undefined;

  /** `hashes` gives the leaf hashes `from`..`to` (exclusive) of one level-0 tile, joined. */
  constructor(index: LeafIndex, hashes: (from: number, to: number) => Promise<Bytes>) {
    this.#index = index;
    this.#hashes = hashes;
  }

  /** Resolves once the entries below `size` can be found, or at once when that is far off. */
  async follow(size: number): Promise<void> {
    if (size - this.#index.size > NEAR) {
      // An index that cannot be filled says so when it is asked.
      this.fill(size).catch(() => undefined);
      return;
    }
    await this.fill(size);
  }

  async fill(size: number): Promise<void> {
    await this.#running?.catch(() => undefined);
    this.#running ??= this.#fill(size).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #fill(size: number): Promise<void> {
    while (this.#index.size < size) {
      const from = this.#index.size;
      const to = Math.min(size, from - (from % TILE_WIDTH) + TILE_WIDTH);
      const joined = await this.#hashes(from, to);
      const hashes: Bytes[] = [];
      for (let at = 0; at < joined.length; at += HASH_SIZE) hashes.push(joined.subarray(at, at + HASH_SIZE));
      await this.#index.add(from, hashes);
    }
  }
}
