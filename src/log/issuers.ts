// Issuers: the certificates that entries point to by fingerprint, stored before the first entry that does.

import { type Bytes, hex } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { ObjectStore } from './object-store.ts';

/** `issuer/<lowercase hex SHA-256>` (static-ct-api, "Issuers"). */
export function issuerPath(fingerprint: Uint8Array): string {
  return `issuer/${hex(fingerprint)}`;
}

export class Issuers {
  readonly #sha256: Sha256;
  readonly #store: ObjectStore;
  // An authority hands over the same chain objects each time; they need hashing once.
  readonly #fingerprints = new WeakMap<Bytes, Bytes>();
  readonly #stored = new WeakSet<Bytes>();
  readonly #keys = new Set<string>();

  constructor(sha256: Sha256, store: ObjectStore) {
    this.#sha256 = sha256;
    this.#store = store;
  }

  fingerprint(certificate: Bytes): Bytes {
    const known = this.#fingerprints.get(certificate);
    if (known !== undefined) return known;
    const fingerprint = this.#sha256(certificate);
    this.#fingerprints.set(certificate, fingerprint);
    return fingerprint;
  }

  /** The certificates of the chains that are not known to be stored. */
  missing(chains: Iterable<readonly Bytes[]>): Map<string, Bytes> {
    const out = new Map<string, Bytes>();
    for (const chain of chains) {
      for (const certificate of chain) {
        if (this.#stored.has(certificate)) continue;
        const key = issuerPath(this.fingerprint(certificate));
        if (this.#keys.has(key)) this.#stored.add(certificate);
        else out.set(key, certificate);
      }
    }
    return out;
  }

  /** Resolves once each can be read back after a crash. */
  async store(missing: ReadonlyMap<string, Bytes>): Promise<void> {
    await Promise.all([...missing].map(([key, certificate]) => this.#store.create(key, certificate)));
    for (const [key, certificate] of missing) {
      this.#keys.add(key);
      this.#stored.add(certificate);
    }
  }
}
