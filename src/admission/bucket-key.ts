// Bucket keys: the hashes by which buckets and tokens are known to a store, so that no claim stands there in clear.

import { type Bytes, base64url, utf8 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { LimitName } from './limit.ts';

/** Stays as it is for ever, whatever the limits are called: a renamed limit keeps its buckets. */
const TAGS: Readonly<Record<LimitName, string>> = {
  'certificates-per-identity': 'i',
  'certificates-per-owner': 'o',
  'certificates-per-issuer': 's',
  'failures-per-address': 'a',
  'failed-proofs-per-identity': 'p',
};

/** Those who come once mostly come again: a job signs many artifacts, an owner has many jobs. */
const CACHED = 4096;
const LONGEST_CACHED = 512;

export class BucketKeys {
  readonly #sha256: Sha256;
  readonly #known = new Map<string, string>();

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  /** The key of the issuer's own bucket, and the hash tag of everything that belongs to it. */
  issuer(issuer: string): string {
    return this.of('certificates-per-issuer', issuer, '');
  }

  /** Unambiguous, as neither a tag nor the URL of a configured issuer has a NUL; 128 bits of SHA-256. */
  of(limit: LimitName, issuer: string, id: string): string {
    const text = `${TAGS[limit]}\0${issuer}\0${id}`;
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const key = base64url(this.#sha256(utf8(text)).subarray(0, 16));
    if (text.length <= LONGEST_CACHED) {
      if (this.#known.size >= CACHED) this.#known.clear();
      this.#known.set(text, key);
    }
    return key;
  }

  hash(data: Uint8Array): Bytes {
    return this.#sha256(data);
  }
}
