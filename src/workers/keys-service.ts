// Keys service: what the stateless Workers ask of the Durable Object that fetches an issuer's keys for all of them.

import type { Outcome } from '../problem-wire.ts';
import type { SignatureAlgorithm } from '../token/algorithm.ts';

export interface KeysQuery {
  /** Name and URL of the configured entry. */
  readonly name: string;
  readonly url: string;
  readonly iss: string;
  readonly alg: SignatureAlgorithm;
  readonly kid: string | undefined;
  readonly now: number;
  /** JWKs, as text, that did not verify the token; undefined for a first question. */
  readonly failed: readonly string[] | undefined;
}

export interface FoundKeys {
  /** Public keys, each a JWK as text. */
  readonly keys: readonly string[];
  readonly algorithms: readonly SignatureAlgorithm[];
}

export interface KeysService {
  /** As KeySets.candidates; where nothing is newer than what failed, just those keys come back. */
  candidates(query: KeysQuery): Promise<Outcome<FoundKeys>>;
}
