// Key set: the public keys with which an issuer signs its tokens (RFC 7517 section 5); here the port that finds them.

import type { CryptoKey } from 'jose';
import type { Instant } from '../clock.ts';
import type { Problem } from '../problem.ts';
import type { SignatureAlgorithm } from './algorithm.ts';
import type { Issuer } from './issuer.ts';

export interface KeyRequest {
  readonly issuer: Issuer;
  /** The token's `iss`; differs from `issuer.url` only where that is a pattern. */
  readonly iss: string;
  /** From the token's protected header, unverified. */
  readonly alg: SignatureAlgorithm;
  /** From the token's protected header, unverified; undefined asks for every key that fits `alg`. */
  readonly kid: string | undefined;
  readonly now: Instant;
}

export interface CandidateKeys {
  /** Empty only where `algorithms` lacks the requested one. */
  readonly keys: readonly CryptoKey[];
  /** What the issuer announces, cut to what we accept. */
  readonly algorithms: readonly SignatureAlgorithm[];
}

export interface KeySets {
  /**
   * The keys that may have signed the token. `failed` is an earlier answer none of whose keys did: the same object
   * comes back where there is nothing newer. Rejects with the Problems issuer_unreachable and key_id_unknown only.
   */
  candidates(request: KeyRequest, failed?: CandidateKeys): Promise<CandidateKeys>;
}

/** Key sets that know which keys are at hand. */
export interface CachedKeySets extends KeySets {
  /** The same keys, but nothing is fetched for a token: where it would have to be, the token gets this refusal. */
  cachedOnly(refuse: () => Problem): KeySets;
}
