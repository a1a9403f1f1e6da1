// Public objects: what a reader of the log fetches from the bucket; the newest hash tiles it asked for stay at hand.

import type { Bytes } from '../encoding/bytes.ts';
import type { ObjectStore } from '../log/object-store.ts';
import type { Bucket } from './bucket.ts';

/** Below it lies what anyone may read. */
export const PUBLIC = 'public/';

/** Tiles of 8 KiB. A proof takes a handful of them, and those of the upper levels again and again. */
const MOST = 512;

const FULL_HASH_TILE = /^tile\/\d[^.]*$/;

export class PublicObjects implements Pick<ObjectStore, 'get'> {
  readonly #bucket: Bucket;
  /** The one asked for last is last. */
  readonly #tiles = new Map<string, Bytes>();

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  async get(key: string): Promise<Bytes | undefined> {
    const known = this.#tiles.get(key);
    const bytes = known ?? (await this.#bucket.get(PUBLIC + key))?.bytes;
    if (bytes !== undefined && FULL_HASH_TILE.test(key)) this.#keep(key, bytes);
    return bytes;
  }

  #keep(key: string, bytes: Bytes): void {
    this.#tiles.delete(key);
    this.#tiles.set(key, bytes);
    const [oldest] = this.#tiles.keys();
    if (this.#tiles.size > MOST && oldest !== undefined) this.#tiles.delete(oldest);
  }
}
