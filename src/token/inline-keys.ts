// Inline keys: a key set that stands in the configuration, for sites that cannot reach the issuer.

import { Problem } from '../problem.ts';
import type { InlineKeySet } from './issuer.ts';
import { JwkSet } from './jwk-set.ts';
import type { KeyHolder } from './keyring.ts';
import type { CandidateKeys, KeyRequest } from './keyset.ts';

export class InlineKeys implements KeyHolder {
  readonly #set: JwkSet | undefined;

  constructor(jwks: InlineKeySet) {
    this.#set = JwkSet.parse(jwks);
  }

  /** Accepts the algorithms that the keys themselves are for, as there is no discovery document to say. */
  async candidates(request: KeyRequest, failed: CandidateKeys | undefined): Promise<CandidateKeys> {
    if (failed) return failed;
    const { alg, kid } = request;
    const algorithms = this.#set?.algorithms ?? [];
    const keys = this.#set && algorithms.includes(alg) ? await this.#set.find(alg, kid) : [];
    if (keys.length === 0 && (algorithms.includes(alg) || algorithms.length === 0))
      throw new Problem('key_id_unknown', {
        field: 'kid',
        hint: 'The configured key set of this issuer holds no key with this kid for the algorithm of the token.',
      });
    return { keys, algorithms };
  }
}
