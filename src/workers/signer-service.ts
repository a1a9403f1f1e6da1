// Signer service: what the front asks of the Worker that holds the private keys.

import type { Bytes } from '../encoding/bytes.ts';
import type { SigningAlgorithm } from '../key/signer.ts';

/** A key by the name of its secret. */
export type KeyName = 'CA_KEY' | 'LOG_KEY' | 'NOTE_KEY' | 'TIMESTAMP_KEY';

export interface SignerService {
  /** `publicKey` is SubjectPublicKeyInfo, DER. Rejects where the key is not set or cannot be used. */
  describe(name: KeyName): Promise<{ algorithm: SigningAlgorithm; publicKey: Bytes }>;
  /** As `Signer.sign`. */
  sign(name: KeyName, message: Uint8Array): Promise<Bytes>;
}
