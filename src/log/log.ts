// Log: the transparency log as an issuance sees it; plain bytes, so that it may live in another process or object.

import type { Bytes } from '../encoding/bytes.ts';

/** What is submitted for one issuance (RFC 6962 section 3.2, PreCert). */
export interface PrecertEntry {
  /** SHA-256 of the issuing CA's SubjectPublicKeyInfo, 32 bytes. */
  readonly issuerKeyHash: Bytes;
  /** TBSCertificate without poison and without SCT list, DER. */
  readonly tbs: Bytes;
  /** The signed precertificate, DER. */
  readonly precertificate: Bytes;
  /** Issuing CA first, root last, DER each. */
  readonly chain: readonly Bytes[];
}

/** A SignedCertificateTimestamp (RFC 6962 section 3.2). */
export interface Sct {
  /** SHA-256 of the log's SubjectPublicKeyInfo, 32 bytes. */
  readonly logId: Bytes;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** CtExtensions without their length prefix; the built-in log puts `leaf_index` here. */
  readonly extensions: Bytes;
  /** digitally-signed: algorithm bytes, length, signature. */
  readonly signature: Bytes;
}

export interface Log {
  /**
   * Resolves once the entry is durable: a crash after this can no longer lose it.
   * Rejects with Problem `log_unavailable` when the entry may not be stored, and with nothing signed over it.
   */
  append(entry: PrecertEntry): Promise<Sct>;
}
