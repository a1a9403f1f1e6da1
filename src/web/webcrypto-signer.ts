// WebCrypto signer: a CryptoKey, exportable or not, for runtimes without node:crypto.

import type { Bytes } from '../encoding/bytes.ts';
import { toDer } from '../key/ecdsa-signature.ts';
import type { Signer, SigningAlgorithm } from '../key/signer.ts';

interface Scheme {
  readonly algorithm: SigningAlgorithm;
  /** What `sign` is told. */
  readonly parameters: { readonly name: string; readonly hash?: string };
}

const ECDSA: ReadonlyMap<unknown, Scheme> = new Map<unknown, Scheme>([
  ['P-256', { algorithm: 'ecdsa-p256-sha256', parameters: { name: 'ECDSA', hash: 'SHA-256' } }],
  ['P-384', { algorithm: 'ecdsa-p384-sha384', parameters: { name: 'ECDSA', hash: 'SHA-384' } }],
  ['P-521', { algorithm: 'ecdsa-p521-sha512', parameters: { name: 'ECDSA', hash: 'SHA-512' } }],
]);
const RSA: Scheme = { algorithm: 'rsa-pkcs1-sha256', parameters: { name: 'RSASSA-PKCS1-v1_5' } };
const ED25519: Scheme = { algorithm: 'ed25519', parameters: { name: 'Ed25519' } };

/** `publicKey` is the SubjectPublicKeyInfo that belongs to it. Throws a TypeError for a key that signs no certificates. */
export function webCryptoSigner(key: CryptoKey, publicKey: Bytes): Signer {
  const { algorithm, parameters } = schemeOf(key);
  return {
    algorithm,
    publicKey,
    async sign(message) {
      const signature = await crypto.subtle.sign(parameters, key, new Uint8Array(message));
      return parameters.name === 'ECDSA' ? toDer(new Uint8Array(signature)) : new Uint8Array(signature);
    },
  };
}

function schemeOf({ type, usages, algorithm }: CryptoKey): Scheme {
  const detail: { name: string; namedCurve?: unknown; hash?: unknown } = algorithm;
  const scheme =
    detail.name === 'ECDSA'
      ? ECDSA.get(detail.namedCurve)
      : detail.name === 'RSASSA-PKCS1-v1_5' && isSha256(detail.hash)
        ? RSA
        : detail.name === 'Ed25519'
          ? ED25519
          : undefined;
  if (scheme === undefined || type !== 'private' || !usages.includes('sign'))
    throw new TypeError(`no certificates are signed with a ${type} key for ${detail.name}`);
  return scheme;
}

const isSha256 = (hash: unknown): boolean =>
  typeof hash === 'object' && hash !== null && 'name' in hash && hash.name === 'SHA-256';
