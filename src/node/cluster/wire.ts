// Cluster wire: what the processes of an instance say to each other, as bytes.

import type { Allowed, Charge, LimitState, Refused, Verdict } from '../../admission/limiter.ts';
import type { ReplayCheck } from '../../admission/replay.ts';
import type { Instant } from '../../clock.ts';
import { type Bytes, concat, equal, fromUtf8, utf8 } from '../../encoding/bytes.ts';
import { putUint, TlsReader } from '../../encoding/tls.ts';
import type { Unreadiness } from '../../http/health.ts';
import type { PrecertEntry, Sct } from '../../log/log.ts';
import type { FailureNote } from '../admission.ts';
import type { RotationCause } from '../keys/rotation.ts';
import type { ReloadCause } from '../settings/reload.ts';

/** Requests by their number. Those of a worker come first, then those of the sequencer. */
export const ASK = {
  append: 1,
  spend: 2,
  give: 3,
  readiness: 4,
  failure: 5,
  start: 16,
  reload: 17,
  rotate: 18,
  metrics: 19,
  heard: 20,
  close: 21,
} as const;

/** What lies behind a number that is not written as bytes of its own. */
export interface Messages {
  readonly spend: Spending & { readonly issuerKey: string; readonly now: Instant };
  readonly verdict: TerseVerdict;
  readonly give: Spending;
  readonly readiness: readonly Unreadiness[];
  readonly failure: FailureNote;
  readonly start: Start;
  readonly reload: { readonly texts: Texts; readonly cause: ReloadCause };
  readonly rotate: { readonly cause: RotationCause };
  readonly done: boolean;
  /** Those of prom-client. */
  readonly metrics: readonly object[];
}

/** A verdict about charges that the one who asked has at hand: limits and rates are theirs. */
export type TerseVerdict =
  | { readonly states: readonly TerseState[]; readonly wait?: number; readonly strictest?: number }
  | { readonly reason: Refused['reason'] };

/** remaining, nextSeconds, resetSeconds, and whether it is violated (1). */
type TerseState = readonly [remaining: number, nextSeconds: number, resetSeconds: number, violated: 0 | 1];

/** `charges` are those that the verdict is about, in their order. */
export function terse(verdict: Verdict, charges: readonly Charge[]): TerseVerdict {
  if (!verdict.allowed && verdict.reason !== 'limited') return { reason: verdict.reason };
  const states = verdict.states.map(
    ({ remaining, nextSeconds, resetSeconds, violated }): TerseState => [
      remaining,
      nextSeconds,
      resetSeconds,
      violated ? 1 : 0,
    ],
  );
  if (verdict.allowed) return { states };
  const strictest = charges.findIndex(({ limit }) => limit === verdict.limit);
  return { states, wait: verdict.retryAfterMs, strictest };
}

/** `refund` is for one that allows. */
export function inFull(
  verdict: TerseVerdict,
  charges: readonly Charge[],
  refund: Allowed['refund'],
): Verdict {
  if ('reason' in verdict) return { allowed: false, reason: verdict.reason };
  const states: LimitState[] = [];
  for (const [i, [remaining, nextSeconds, resetSeconds, violated]] of verdict.states.entries()) {
    const charge = charges[i];
    if (charge === undefined) continue;
    const { limit, rate } = charge;
    states.push({ limit, rate, remaining, nextSeconds, resetSeconds, violated: violated === 1 });
  }
  const { wait, strictest } = verdict;
  const charge = strictest === undefined ? undefined : charges[strictest];
  if (wait === undefined || charge === undefined) return { allowed: true, states, refund };
  return {
    allowed: false,
    reason: 'limited',
    limit: charge.limit,
    rate: charge.rate,
    retryAfterMs: wait,
    states,
  };
}

export interface Spending {
  readonly charges: readonly Charge[];
  readonly replay?: ReplayCheck | undefined;
}

/** Files by absolute path; null for one that is not there. */
export type Texts = readonly (readonly [path: string, text: string | null])[];

export interface Start {
  /** From 1. */
  readonly number: number;
  readonly count: number;
  /** Of the command line. */
  readonly flags: object;
  /** What the instance began with. */
  readonly texts: Texts;
  /** What is in force now, where that is not the same. */
  readonly current?: Texts;
  readonly port: number;
  readonly grpcPort: number;
  readonly publicUrl: string;
}

export function encode<K extends keyof Messages>(_: K, message: Messages[K]): Bytes {
  return utf8(JSON.stringify(message));
}

/** Both ends are of one version: a worker is started by its sequencer, from the same files. */
export function decode<K extends keyof Messages>(_: K, payload: Uint8Array): Messages[K] {
  return JSON.parse(fromUtf8(payload)) as Messages[K];
}

/** Opaque vectors with a length of three bytes each, and the chain once more within one. */
export function encodeEntry({ issuerKeyHash, tbs, precertificate, chain }: PrecertEntry): Bytes {
  return vectors([issuerKeyHash, tbs, precertificate, vectors(chain)]);
}

/** Chains by what they are written as: a log knows certificates that it has stored by the object. */
export class EntryDecoder {
  #written: Uint8Array = new Uint8Array();
  #chain: readonly Bytes[] = [];

  decode(payload: Uint8Array): PrecertEntry {
    const reader = new TlsReader(payload);
    const [issuerKeyHash, tbs, precertificate] = [next(reader), next(reader), next(reader)];
    const written = reader.vector(3);
    if (!equal(written, this.#written)) {
      this.#written = written.slice();
      const certificates = new TlsReader(this.#written);
      const chain: Bytes[] = [];
      while (!certificates.done) chain.push(next(certificates));
      this.#chain = chain;
    }
    return { issuerKeyHash, tbs, precertificate, chain: this.#chain };
  }
}

export function encodeSct({ logId, timestamp, extensions, signature }: Sct): Bytes {
  const time = new Uint8Array(8);
  putUint(time, 0, timestamp, 8);
  return concat(time, vectors([logId, extensions, signature]));
}

export function decodeSct(payload: Uint8Array): Sct {
  const reader = new TlsReader(payload);
  const timestamp = reader.uint(8);
  return { timestamp, logId: next(reader), extensions: next(reader), signature: next(reader) };
}

function vectors(parts: readonly Uint8Array[]): Bytes {
  let size = 0;
  for (const part of parts) size += 3 + part.length;
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    at = putUint(out, at, part.length, 3);
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function next(reader: TlsReader): Bytes {
  return new Uint8Array(reader.vector(3));
}
