// SCT: the signed promise of the log, and how a certificate carries it (RFC 6962 sections 3.2 and 3.3).

import { type Bytes, concat } from '../encoding/bytes.ts';
import { u8, uint, vector } from '../encoding/tls.ts';
import type { Sct } from './log.ts';

/** SerializedSCT. */
export function encodeSct(sct: Sct): Bytes {
  return concat(
    u8(0), // v1, RFC 6962 section 3.2
    sct.logId,
    uint(sct.timestamp, 8),
    vector(sct.extensions, 2),
    sct.signature,
  );
}

/** SignedCertificateTimestampList of one. */
export function encodeSctList(sct: Sct): Bytes {
  return vector(vector(encodeSct(sct), 2), 2);
}
