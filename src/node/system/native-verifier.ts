// Native verifier: SignatureVerifier over node:crypto, synchronous.

import { verify } from 'node:crypto';

import type { SignatureVerifier } from '../../key/verifier.ts';

const DIGEST = { 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' } as const;

export const nativeVerifier: SignatureVerifier = {
  verify(key, hash, message, signature) {
    if ((hash === undefined) !== (key.type === 'ed25519')) return false; // node:crypto would choose a hash itself
    try {
      const { buffer, byteOffset, length } = key.spki;
      const spki = Buffer.from(buffer, byteOffset, length);
      const imported = { key: spki, format: 'der', type: 'spki' } as const;
      return verify(hash === undefined ? null : DIGEST[hash], message, imported, signature);
    } catch {
      return false; // OpenSSL throws for a key that it does not take
    }
  },
};
