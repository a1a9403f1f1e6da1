// Description: what a client has to know to follow a log, in Mayfly's own form and in that of CT's log lists.

import { type Bytes, base64 } from '../encoding/bytes.ts';

/** The most that may pass between an SCT and a checkpoint that covers it, in seconds (RFC 6962 section 3). */
export const MAXIMUM_MERGE_DELAY = 60;

export interface LogIdentity {
  readonly origin: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes;
  readonly logId: Bytes;
}

/** GET /.well-known/mayfly/log.json. `prefix` is the log's URL with a trailing slash. */
export function describeLog({ origin, publicKey, logId }: LogIdentity, prefix: string): object {
  return {
    origin,
    key: base64(publicKey),
    log_id: base64(logId),
    monitoring_url: prefix,
    submission_url: prefix,
  };
}

/** `log.v3.json`: one element of `tiled_logs` of a CT log list, version 3. */
export function logListEntry({ origin, publicKey, logId }: LogIdentity, prefix: string): object {
  return {
    description: origin,
    log_id: base64(logId),
    key: base64(publicKey),
    mmd: MAXIMUM_MERGE_DELAY,
    submission_url: prefix,
    monitoring_url: prefix,
    log_type: 'prod',
  };
}
