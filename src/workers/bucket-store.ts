// Bucket store: the log's public objects in R2, as the log's Durable Object writes them.

import { type Bytes, equal } from '../encoding/bytes.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { LogDamage } from '../log/journal.ts';
import { parseNote } from '../log/note.ts';
import type { ObjectStore } from '../log/object-store.ts';

/** R2 takes one write a second of the same key. */
const REPLACE_PAUSE = 1000;
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** As much of R2 as is used here; R2Bucket fits. */
export interface Bucket {
  get(key: string): Promise<{ readonly etag: string; arrayBuffer(): Promise<ArrayBuffer> } | null>;
  /** Null where the condition does not hold, and nothing was written. */
  put(
    key: string,
    bytes: Uint8Array,
    options: {
      readonly onlyIf: { readonly etagMatches: string } | { readonly etagDoesNotMatch: string };
      readonly httpMetadata: { readonly contentType: string; readonly cacheControl: string };
    },
  ): Promise<{ readonly etag: string } | null>;
}

export interface BucketStoreOptions {
  readonly bucket: Bucket;
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
}

export class BucketStore implements ObjectStore {
  readonly #options: BucketStoreOptions;
  /** Of the one replaced object, as this store has written it last. */
  #version: string | undefined;
  #replacedAt = Number.NEGATIVE_INFINITY;

  constructor(options: BucketStoreOptions) {
    this.#options = options;
  }

  async get(key: string): Promise<Bytes | undefined> {
    const object = await this.#options.bucket.get(key);
    return object === null ? undefined : new Uint8Array(await object.arrayBuffer());
  }

  async create(key: string, bytes: Uint8Array): Promise<void> {
    const written = await this.#options.bucket.put(key, bytes, {
      onlyIf: { etagDoesNotMatch: '*' },
      httpMetadata: { contentType: 'application/octet-stream', cacheControl: IMMUTABLE },
    });
    if (written !== null) return;
    const present = await this.get(key);
    if (present === undefined || !equal(present, bytes))
      throw new LogDamage(`${key} stands in the bucket with other content`);
  }

  /**
   * Replaces the checkpoint, the one object that changes, and only by one over at least as many entries: an object that
   * slept through its own replacement must not take the public back.
   */
  async replace(key: string, bytes: Uint8Array): Promise<void> {
    const { bucket, now, wait } = this.#options;
    const pause = this.#replacedAt + REPLACE_PAUSE - now();
    if (pause > 0) await wait(Math.min(pause, REPLACE_PAUSE));
    this.#replacedAt = now();
    const httpMetadata = { contentType: 'text/plain; charset=utf-8', cacheControl: 'no-store' };
    let written = await bucket.put(key, bytes, {
      onlyIf: this.#version === undefined ? { etagDoesNotMatch: '*' } : { etagMatches: this.#version },
      httpMetadata,
    });
    if (written === null) {
      // Written by an earlier life of this object, or by another one.
      const present = await bucket.get(key);
      if (present !== null && sizeOf(new Uint8Array(await present.arrayBuffer())) > sizeOf(bytes))
        throw new LogDamage('another writer has published a larger tree into the bucket');
      written = await bucket.put(key, bytes, {
        onlyIf: present === null ? { etagDoesNotMatch: '*' } : { etagMatches: present.etag },
        httpMetadata,
      });
      if (written === null) throw new LogDamage('another writer publishes into the bucket');
    }
    this.#version = written.etag;
  }
}

/** Entries under a checkpoint; Infinity for what is none. */
function sizeOf(checkpoint: Uint8Array): number {
  const note = parseNote(checkpoint);
  return (note && parseCheckpoint(note.text)?.size) ?? Number.POSITIVE_INFINITY;
}

/**
 * Throws a LogDamage when the bucket shows a checkpoint that this log has not published: it belongs to another log, or
 * the object's storage is older than what the public has seen.
 */
export async function checkBucket(
  store: Pick<ObjectStore, 'get'>,
  published: { readonly size: number; readonly root: Uint8Array } | undefined,
): Promise<void> {
  const bytes = await store.get('checkpoint');
  if (bytes === undefined) return;
  const note = parseNote(bytes);
  const shown = note && parseCheckpoint(note.text);
  if (shown === undefined) throw new LogDamage('the checkpoint in the bucket is malformed');
  if (published === undefined || shown.size > published.size)
    throw new LogDamage(
      `the bucket shows ${shown.size} entries, but this log has published ${published?.size ?? 0}`,
    );
  if (shown.size === published.size && !equal(shown.root, published.root))
    throw new LogDamage(`the bucket shows another tree of ${shown.size} entries`);
}
