// Description: what a client has to know to follow a log, in Mayfly's own form and in that of CT's log lists.

import * as z from 'zod';
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
export function logListEntry(
  { origin, publicKey, logId }: LogIdentity,
  prefix: string,
  final?: FinalTreeHead,
): object {
  return {
    description: origin,
    log_id: base64(logId),
    key: base64(publicKey),
    mmd: MAXIMUM_MERGE_DELAY,
    submission_url: prefix,
    monitoring_url: prefix,
    log_type: 'prod',
    ...(final && { state: stateOf(final) }),
  };
}

/** The last tree head of a log that takes no more entries. */
export interface FinalTreeHead {
  readonly size: number;
  readonly root: Bytes;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
}

/** Whether a `log.v3.json` says that this tree head is the log's last. */
export function saysFinal(text: string, { size, root, timestamp }: FinalTreeHead): boolean {
  try {
    const entry = z.looseObject({ state: z.looseObject({ readonly: final }) }).parse(JSON.parse(text));
    const { tree_size, sha256_root_hash } = entry.state.readonly.final_tree_head;
    return (
      tree_size === size &&
      sha256_root_hash === base64(root) &&
      Date.parse(entry.state.readonly.timestamp) === timestamp
    );
  } catch {
    return false;
  }
}

const final = z.object({
  timestamp: z.string(),
  final_tree_head: z.object({ tree_size: z.number(), sha256_root_hash: z.string() }),
});

/** `state` of a log list entry: nothing more is taken, and all can still be read. */
export function stateOf({ size, root, timestamp }: FinalTreeHead): object {
  return {
    readonly: {
      timestamp: new Date(timestamp).toISOString(),
      final_tree_head: { tree_size: size, sha256_root_hash: base64(root) },
    },
  };
}
