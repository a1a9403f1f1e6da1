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

const CACHED_ISSUERS = 1024;

export class BucketKeys {
  readonly #sha256: Sha256;
  readonly #issuers = new Map<string, string>();

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  /** The key of the issuer's own bucket, and the hash tag of everything that belongs to it. */
  issuer(issuer: string): string {
    let key = this.#issuers.get(issuer);
    if (key === undefined) {
      key = this.of('certificates-per-issuer', issuer, '');
      if (this.#issuers.size >= CACHED_ISSUERS) this.#issuers.clear();
      this.#issuers.set(issuer, key);
    }
    return key;
  }

  /** Unambiguous, as neither a tag nor the URL of a configured issuer has a NUL; 128 bits of SHA-256. */
  of(limit: LimitName, issuer: string, id: string): string {
    const hash = this.#sha256(utf8(`${TAGS[limit]}\0${issuer}\0${id}`));
    return base64url(hash.subarray(0, 16));
  }

  hash(data: Uint8Array): Bytes {
    return this.#sha256(data);
  }
}
