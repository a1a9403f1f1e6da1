// WebCrypto verifier: SignatureVerifier over the Web Cryptography API, for runtimes without node:crypto.

import type { Bytes } from '../encoding/bytes.ts';
import type { HashName } from '../key/algorithm.ts';
import { CURVES } from '../key/curve.ts';
import { toP1363 } from '../key/ecdsa-signature.ts';
import type { PublicKey } from '../key/public-key.ts';
import type { SignatureVerifier } from '../key/verifier.ts';

export const webCryptoVerifier: SignatureVerifier = {
  async verify(key, hash, message, signature) {
    const algorithm = algorithmOf(key, hash);
    const expected = key.type === 'ecdsa' ? toP1363(signature, CURVES[key.curve].size) : copy(signature);
    if (algorithm === undefined || expected === undefined) return false;
    try {
      const imported = await crypto.subtle.importKey('spki', key.spki, algorithm, false, ['verify']);
      return await crypto.subtle.verify(algorithm, imported, expected, copy(message));
    } catch {
      return false; // a key or signature that the runtime does not take
    }
  },
};

/** WebCrypto takes no view of shared memory. */
const copy = (bytes: Uint8Array): Bytes => new Uint8Array(bytes);

function algorithmOf(key: PublicKey, hash: HashName | undefined) {
  if (key.type === 'ed25519') return hash === undefined ? { name: 'Ed25519' } : undefined;
  if (hash === undefined) return undefined;
  return key.type === 'rsa'
    ? { name: 'RSASSA-PKCS1-v1_5', hash }
    : { name: 'ECDSA', namedCurve: key.curve, hash };
}
