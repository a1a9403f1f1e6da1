// Native signer: a private key held by OpenSSL in this process, synchronous.

import { createPublicKey, type KeyObject, sign } from 'node:crypto';

import type { Bytes } from '../../encoding/bytes.ts';
import type { Signer, SigningAlgorithm } from '../../key/signer.ts';

const DIGEST = {
  'ecdsa-p256-sha256': 'sha256',
  'ecdsa-p384-sha384': 'sha384',
  'ecdsa-p521-sha512': 'sha512',
  'rsa-pkcs1-sha256': 'sha256',
  ed25519: null,
} as const satisfies Record<SigningAlgorithm, string | null>;

const OF_CURVE: ReadonlyMap<string | undefined, SigningAlgorithm> = new Map([
  ['prime256v1', 'ecdsa-p256-sha256'],
  ['secp384r1', 'ecdsa-p384-sha384'],
  ['secp521r1', 'ecdsa-p521-sha512'],
]);

/** Throws a TypeError for a key that is not private, or of a kind that signs no certificates. */
export function nativeSigner(key: KeyObject): Signer {
  if (key.type !== 'private') throw new TypeError(`a ${key.type} key cannot sign`);
  const algorithm = algorithmOf(key);
  const digest = DIGEST[algorithm];
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    algorithm,
    publicKey: new Uint8Array(spki),
    sign: (message) => plain(sign(digest, message, key)),
  };
}

/** The same bytes as a plain array: a Buffer slices and prints in its own way. */
function plain({ buffer, byteOffset, length }: Buffer<ArrayBuffer>): Bytes {
  return new Uint8Array(buffer, byteOffset, length);
}

/** With which a key of this pair signs. Throws a TypeError for a kind that signs no certificates. */
export function algorithmOf(key: KeyObject): SigningAlgorithm {
  if (key.asymmetricKeyType === 'rsa') return 'rsa-pkcs1-sha256';
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  const { namedCurve } = key.asymmetricKeyDetails ?? {};
  const algorithm = OF_CURVE.get(namedCurve);
  if (algorithm !== undefined) return algorithm;
  throw new TypeError(`no certificates are signed with a key of type ${namedCurve ?? key.asymmetricKeyType}`);
}
