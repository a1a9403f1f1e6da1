// Possession: the proof that a client holds the private key, by its signature over the challenge or over its own request.

import { utf8 } from '../encoding/bytes.ts';
import { Problem } from '../problem.ts';
import type { AlgorithmAllowList, HashName } from './algorithm.ts';
import type { SigningRequest } from './csr.ts';
import { eitherToDer } from './ecdsa-signature.ts';
import type { PublicKey } from './public-key.ts';
import { recognize } from './signature-algorithm.ts';
import { requireStrong } from './strength.ts';
import type { SignatureVerifier } from './verifier.ts';

export type KeyProof =
  | {
      readonly kind: 'possession';
      readonly publicKey: PublicKey;
      /** Over the UTF-8 bytes of the challenge; ECDSA as DER or as r || s. */
      readonly signature: Uint8Array;
    }
  | { readonly kind: 'csr'; readonly request: SigningRequest };

/**
 * The key that was proven. Looks at strength, signature, and the list of permitted algorithms, in this order, and throws Problems
 * `key_rejected`, `possession_unproven`, `algorithm_unrecognized` (requests only), `algorithm_not_permitted`.
 * A request is proof by itself: it is not bound to the challenge.
 */
export async function verifyPossession(
  proof: KeyProof,
  challenge: string,
  verifier: SignatureVerifier,
  allowed: AlgorithmAllowList,
): Promise<PublicKey> {
  const key = proof.kind === 'csr' ? proof.request.publicKey : proof.publicKey;
  requireStrong(key);
  const hash =
    proof.kind === 'csr'
      ? await verifyRequest(proof.request, verifier)
      : await verifyChallenge(key, proof.signature, challenge, verifier);
  allowed.requirePermitted(key, hash);
  return key;
}

const HASH_OF_CURVE = { 'P-256': 'SHA-256', 'P-384': 'SHA-384', 'P-521': 'SHA-512' } as const;

async function verifyChallenge(
  key: PublicKey,
  signature: Uint8Array,
  challenge: string,
  verifier: SignatureVerifier,
): Promise<HashName | undefined> {
  const hash = key.type === 'ecdsa' ? HASH_OF_CURVE[key.curve] : key.type === 'rsa' ? 'SHA-256' : undefined;
  const expected = key.type === 'ecdsa' ? eitherToDer(signature) : signature;
  if (expected !== undefined && (await verifier.verify(key, hash, utf8(challenge), expected))) return hash;
  throw new Problem('possession_unproven', {
    field: 'publicKeyRequest.proofOfPossession',
    hint: `Sign the challenge claim of the token (its email, otherwise its sub) with ${MANNER[key.type]}.`,
  });
}

const MANNER = {
  ecdsa: 'ECDSA and the hash of the curve (P-256: SHA-256, P-384: SHA-384, P-521: SHA-512)',
  rsa: 'RSA PKCS#1 v1.5 and SHA-256',
  ed25519: 'pure Ed25519',
} as const;

async function verifyRequest(
  { publicKey, info, signatureAlgorithm, signature }: SigningRequest,
  verifier: SignatureVerifier,
): Promise<HashName | undefined> {
  const algorithm = recognize(signatureAlgorithm);
  if (algorithm?.keyType === publicKey.type) {
    // Fulcio tells this only of a signature that verifies; here SHA-1 and PSS are refused without a look at it.
    if (algorithm.refusedAs !== undefined)
      throw new Problem('algorithm_unrecognized', {
        message: `unrecognized signature algorithm: ${algorithm.refusedAs}`,
        field: 'certificateSigningRequest',
        hint: 'Sign the request with ECDSA or RSA PKCS#1 v1.5 and SHA-256, SHA-384 or SHA-512, or with Ed25519.',
      });
    if (await verifier.verify(publicKey, algorithm.hash, info, signature)) return algorithm.hash;
  }
  throw new Problem('possession_unproven', {
    field: 'certificateSigningRequest',
    hint: 'Sign the request with the private key that belongs to its public key.',
  });
}
