// SignatureVerifier: checks a signature under a client's key with whatever cryptography the runtime has.

import type { HashName } from './algorithm.ts';
import type { PublicKey } from './public-key.ts';

export interface SignatureVerifier {
  /**
   * ECDSA with `signature` as DER, RSA as PKCS#1 v1.5, or, with no hash, pure Ed25519.
   * False for everything malformed or mismatched; never throws or rejects.
   */
  verify(
    key: PublicKey,
    hash: HashName | undefined,
    message: Uint8Array,
    signature: Uint8Array,
  ): boolean | Promise<boolean>;
}
