// SCT: the signed promise of the log, and how a certificate carries it (RFC 6962 sections 3.2 and 3.3).

import { allocate, type Bytes, concat, equal } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { putUint, u8, uint, vector } from '../encoding/tls.ts';
import type { PublicKey } from '../key/public-key.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import type { PrecertEntry, Sct } from './log.ts';
import { readDigitallySigned } from './signature.ts';

function sctSize({ logId, extensions, signature }: Sct): number {
  return 1 + logId.length + 8 + 2 + extensions.length + signature.length;
}

function writeSct(out: Uint8Array, offset: number, { logId, timestamp, extensions, signature }: Sct): void {
  let at = putUint(out, offset, 0, 1); // v1, RFC 6962 section 3.2
  out.set(logId, at);
  at = putUint(out, at + logId.length, timestamp, 8);
  at = putUint(out, at, extensions.length, 2);
  out.set(extensions, at);
  out.set(signature, at + extensions.length);
}

/** SerializedSCT. */
export function encodeSct(sct: Sct): Bytes {
  const out = allocate(sctSize(sct));
  writeSct(out, 0, sct);
  return out;
}

/** Bytes of a SignedCertificateTimestampList of one. */
export function sctListSize(sct: Sct): number {
  return 4 + sctSize(sct);
}

/** Writes a SignedCertificateTimestampList of one at `offset`. */
export function writeSctList(out: Uint8Array, offset: number, sct: Sct): void {
  const size = sctSize(sct);
  putUint(out, offset, 2 + size, 2);
  putUint(out, offset + 2, size, 2);
  writeSct(out, offset + 4, sct);
}

/** What a precertificate's SCT signs (RFC 6962 section 3.2). */
export function sctInput(
  entry: Pick<PrecertEntry, 'issuerKeyHash' | 'tbs'>,
  sct: Pick<Sct, 'timestamp' | 'extensions'>,
): Bytes {
  return concat(
    u8(0), // v1
    u8(0), // certificate_timestamp
    uint(sct.timestamp, 8),
    uint(1, 2), // precert_entry
    entry.issuerKeyHash,
    vector(entry.tbs, 3),
    vector(sct.extensions, 2),
  );
}

/** Whether the log of that key promised to log that entry. `key` is P-256 or RSA. */
export async function verifySct(
  verifier: SignatureVerifier,
  sha256: Sha256,
  key: PublicKey,
  entry: Pick<PrecertEntry, 'issuerKeyHash' | 'tbs'>,
  sct: Sct,
): Promise<boolean> {
  const signed = readDigitallySigned(sct.signature);
  const fits = signed?.algorithm === (key.type === 'rsa' ? 'rsa-pkcs1-sha256' : 'ecdsa-p256-sha256');
  if (signed === undefined || !fits || !equal(sct.logId, sha256(key.spki))) return false;
  return verifier.verify(key, 'SHA-256', sctInput(entry, sct), signed.signature);
}
