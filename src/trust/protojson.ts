// Protojson: the values that all of Sigstore's trust documents are made of (sigstore_common.proto), as JSON.

import type { Instant } from '../clock.ts';
import { type Bytes, base64 } from '../encoding/bytes.ts';
import type { Validity } from './material.ts';

/** dev.sigstore.common.v1.TimeRange. */
export interface TimeRange {
  readonly start: string;
  readonly end?: string;
}

export function timeRange({ start, end }: Validity): TimeRange {
  return end === undefined ? { start: timestamp(start) } : { start: timestamp(start), end: timestamp(end) };
}

/** RFC 3339 in UTC, with a fraction only where there is one. */
function timestamp(at: Instant): string {
  return new Date(at).toISOString().replace('.000Z', 'Z');
}

/** dev.sigstore.common.v1.X509Certificate. */
export interface RawBytes {
  readonly rawBytes: string;
}

export function rawBytes(der: Bytes): RawBytes {
  return { rawBytes: base64(der) };
}
