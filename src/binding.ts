// Binding: a strong key whose holder has proven possession for one authorized identity.

import { type Bytes, base64url } from './encoding/bytes.ts';
import type { Sha256 } from './encoding/digest.ts';
import type { AlgorithmAllowList } from './key/algorithm.ts';
import { parseSigningRequest } from './key/csr.ts';
import { type KeyProof, verifyPossession } from './key/possession.ts';
import { algorithmOf, type PublicKey, parsePublicKey } from './key/public-key.ts';
import type { SignatureVerifier } from './key/verifier.ts';
import type { Authorization } from './policy/policy.ts';
import { Problem } from './problem.ts';

/** The key as a request carries it, not yet looked at: a token that fails must win over a key that does not parse. */
export type PresentedKey =
  | { readonly kind: 'possession'; readonly publicKey: string | Uint8Array; readonly signature: Uint8Array }
  | { readonly kind: 'csr'; readonly pem: Uint8Array };

/** What the check of a key needs beside the request. */
export interface KeyPolicy {
  readonly allowed: AlgorithmAllowList;
  readonly verifier: SignatureVerifier;
  readonly sha256: Sha256;
}

export class Binding {
  readonly #bound = true;
  readonly authorization: Authorization;
  /** SubjectPublicKeyInfo as the certificate will carry it, DER. */
  readonly spki: Bytes;
  /** SHA-256 of `spki`, 32 bytes. */
  readonly spkiHash: Bytes;
  /** Such as `ECDSA P-256`. */
  readonly keyAlgorithm: string;

  private constructor(authorization: Authorization, key: PublicKey, spkiHash: Bytes) {
    this.authorization = authorization;
    this.spki = key.spki;
    this.keyAlgorithm = algorithmOf(key);
    this.spkiHash = spkiHash;
  }

  /**
   * Throws Problems `public_key_invalid`, `csr_invalid`, `key_rejected`, `possession_unproven`, `algorithm_unrecognized`,
   * `algorithm_not_permitted`, in Fulcio's order of checks, and `key_not_bound` for a token that is for another key.
   */
  static async of(
    authorization: Authorization,
    presented: PresentedKey,
    policy: KeyPolicy,
  ): Promise<Binding> {
    const { challenge, token } = authorization.identity;
    const key = await verifyPossession(parse(presented), challenge, policy.verifier, policy.allowed);
    const spkiHash = policy.sha256(key.spki);
    if (token.keyThumbprint !== undefined && token.keyThumbprint !== base64url(spkiHash)) throw notBound();
    return new Binding(authorization, key, spkiHash);
  }

  get bound(): boolean {
    return this.#bound;
  }
}

export const bind = Binding.of;

function notBound(): Problem {
  return new Problem('key_not_bound', {
    field: 'aud',
    hint: 'A token of this issuer is for one key: its audience ends in + and the base64url SHA-256 of the public key in DER.',
  });
}

function parse(presented: PresentedKey): KeyProof {
  if (presented.kind === 'csr') return { kind: 'csr', request: parseSigningRequest(presented.pem) };
  return {
    kind: 'possession',
    publicKey: parsePublicKey(presented.publicKey),
    signature: presented.signature,
  };
}
