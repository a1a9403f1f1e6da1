// Bucket store: a log's object store in a bucket; objects that change are replaced only by whoever knows the newest one.

import { type Bytes, equal } from '../encoding/bytes.ts';
import { LogDamage } from '../log/journal.ts';
import type { ObjectStore } from '../log/object-store.ts';
import { type Bucket, BucketError, type Condition } from './bucket.ts';
import type { Term } from './term.ts';

/**
 * What a replacement that meets an object it does not know means: that another process leads, or, where a straggler of
 * an earlier term may have written, that this replacement fails and the next may do it. For the latter a function that
 * throws a Fenced unless this process leads still: what was seen before it is asked cannot be of a later leader.
 */
export type Replacement = 'ends-term' | (() => Promise<void>);

export interface BucketStoreOptions {
  readonly bucket: Bucket;
  /** Empty, or ends in a slash. */
  readonly folder: string;
  readonly term: Term;
  /** Objects that change, each replaced on condition that it is still the one last seen; others are replaced as they come. */
  readonly guarded: ReadonlyMap<string, Replacement>;
}

export class BucketStore implements ObjectStore {
  readonly #options: BucketStoreOptions;
  /** Condition of the next replacement, by key. */
  readonly #seen = new Map<string, Condition>();

  constructor(options: BucketStoreOptions) {
    this.#options = options;
  }

  async get(key: string): Promise<Bytes | undefined> {
    const stored = await this.#read(key);
    if (!this.#options.guarded.has(key)) return stored?.bytes;
    const condition: Condition = stored === undefined ? { absent: true } : { etag: stored.etag };
    const seen = this.#seen.get(key);
    if (seen === undefined) this.#seen.set(key, condition);
    else if (!sameCondition(seen, condition)) await this.#moved(key, condition);
    return stored?.bytes;
  }

  async create(key: string, bytes: Uint8Array): Promise<void> {
    const { bucket, folder, term } = this.#options;
    term.assert();
    let unanswered: BucketError | undefined;
    try {
      if ((await bucket.put(folder + key, plain(bytes), { absent: true })) !== 'refused') return;
    } catch (error) {
      // A store that refuses before it has read a large object may close the connection, and its answer is lost.
      if (!(error instanceof BucketError && error.status === undefined)) throw error;
      unanswered = error;
    }
    const stored = await this.#read(key);
    if (stored === undefined && unanswered !== undefined) throw unanswered;
    if (stored === undefined) throw new Error(`${key} was there and is there no more`);
    if (!equal(stored.bytes, bytes)) throw new LogDamage(`${key} stands in the store with other content`);
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    const { bucket, folder, term, guarded } = this.#options;
    term.assert();
    if (!guarded.has(key)) {
      await bucket.put(folder + key, plain(bytes));
      return;
    }
    if (!this.#seen.has(key)) await this.get(key);
    const written = await bucket.put(folder + key, plain(bytes), this.#seen.get(key) ?? { absent: true });
    if (written !== 'refused') {
      this.#seen.set(key, written);
      return;
    }
    const stored = await this.#read(key);
    const condition: Condition = stored === undefined ? { absent: true } : { etag: stored.etag };
    // The answer to a request that was done may have been lost.
    if (stored !== undefined && equal(stored.bytes, bytes)) this.#seen.set(key, condition);
    else await this.#moved(key, condition);
  }

  async #moved(key: string, condition: Condition): Promise<never> {
    const { term, guarded } = this.#options;
    const stillLeads = guarded.get(key);
    if (typeof stillLeads !== 'function') throw term.end(`another process has replaced ${key}`);
    await stillLeads();
    this.#seen.set(key, condition);
    throw new Error(`${key} was replaced meanwhile`);
  }

  #read(key: string): ReturnType<Bucket['get']> {
    return this.#options.bucket.get(this.#options.folder + key);
  }
}

function sameCondition(a: Condition, b: Condition): boolean {
  return 'etag' in a ? 'etag' in b && a.etag === b.etag : 'absent' in b;
}

/** fetch takes no bytes of a SharedArrayBuffer. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : Uint8Array.from(bytes);
}
