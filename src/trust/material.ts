// Trust material: every key of an instance whose signatures may still need checking, and where its services are.

import { readCaCertificate } from '../certificate/ca-reader.ts';
import { type Instant, instantOf } from '../clock.ts';
import type { Bytes } from '../encoding/bytes.ts';

/** Both ends count; without an end the key is in force. */
export interface Validity {
  readonly start: Instant;
  readonly end?: Instant;
}

/** A certificate chain that clients shall trust, from its first certificate's notBefore on. */
export interface TrustedChain {
  /** DER: issuing CA, or timestamp authority, first; root last. */
  readonly chain: readonly Bytes[];
  /** When the key was retired; absent while it is in force. */
  readonly retired?: Instant;
}

export interface TrustedTimestampAuthority extends TrustedChain {
  /** Where queries are posted, such as `https://example.com/api/v1/timestamp`. */
  readonly uri: string;
}

export interface TrustedLog {
  /** Without a trailing slash. */
  readonly baseUrl: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  /** SHA-256 of `spki` for a CT log; a signature log has rules of its own. */
  readonly logId: Bytes;
  /** Starts before the log's first timestamp: `validityOfLog` gives that for a log's own key. */
  readonly validFor: Validity;
}

/** A log as an instance knows it. */
export interface InstanceLog {
  /** Without a final slash. */
  readonly url: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  /** Absent where its age is not known. */
  readonly made?: Instant | undefined;
  /** Of its last SCT; absent while it takes entries. */
  readonly end?: Instant | undefined;
}

export interface TrustedSignatureLog extends TrustedLog {
  /** 1 for Rekor's first API, 2 for its tiles. */
  readonly majorApiVersion: 1 | 2;
}

export interface TrustMaterial {
  /** Base URL of the certificate API, without a trailing slash. */
  readonly instanceUrl: string;
  /** Who runs the instance, as clients show it. */
  readonly operator: string;
  readonly authorities: readonly TrustedChain[];
  /** CT logs. */
  readonly logs: readonly TrustedLog[];
  readonly timestampAuthorities: readonly TrustedTimestampAuthority[];
  /** Logs of signatures (Rekor), where the instance has one. */
  readonly signatureLogs?: readonly TrustedSignatureLog[];
  /** Issuers that people sign in at. */
  readonly oidcUrls?: readonly string[];
}

/** No certificate of this key can be older than the certificate of the key. */
export function validityOfChain({ chain, retired }: TrustedChain): Validity {
  const [first] = chain;
  if (first === undefined) throw new TypeError('a trusted chain has at least one certificate');
  const { notBefore } = readCaCertificate(first);
  return retired === undefined ? { start: notBefore } : { start: notBefore, end: retired };
}

/** A clock may be set back by this much, in milliseconds, between the making of a key and its first signature. */
const CLOCK_BUMP = 3_600_000;

export function validityOfLog(created: Instant, retired?: Instant): Validity {
  const start = instantOf(created - CLOCK_BUMP);
  return retired === undefined ? { start } : { start, end: retired };
}
