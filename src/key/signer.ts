// Signer: a private key that stays where it is (file, PKCS#11, KMS, WebCrypto); it sees bytes only.

import type { Bytes } from '../encoding/bytes.ts';

/** A certificate or log signature algorithm by its X.509 name. */
export type SigningAlgorithm =
  | 'ecdsa-p256-sha256'
  | 'ecdsa-p384-sha384'
  | 'ecdsa-p521-sha512'
  | 'rsa-pkcs1-sha256'
  | 'ed25519';

export interface Signer {
  readonly algorithm: SigningAlgorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes;
  /**
   * Signs `message` (hashing is the signer's). ECDSA signatures come as DER SEQUENCE{r,s}.
   * Rejects when the key cannot be used now; the caller answers 503.
   */
  sign(message: Uint8Array): Bytes | Promise<Bytes>;
}
