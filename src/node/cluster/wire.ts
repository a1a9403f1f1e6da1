// Cluster wire: what the processes of an instance say to each other, as bytes: what each issuance says, laid out, the rest as JSON.

import { LIMIT_NAMES, type LimitName } from '../../admission/limit.ts';
import type { Charge, LimitState, Verdict } from '../../admission/limiter.ts';
import type { ReplayCheck } from '../../admission/replay.ts';
import { type Instant, instantOf } from '../../clock.ts';
import { type Bytes, fromUtf8, utf8 } from '../../encoding/bytes.ts';
import type { Unreadiness } from '../../http/health.ts';
import type { PrecertEntry, Sct } from '../../log/log.ts';
import type { FailureNote } from '../admission.ts';
import type { RotationCause } from '../keys/rotation.ts';
import type { ReloadCause } from '../settings/reload.ts';
import { type FrameWriter, PayloadReader } from './frames.ts';

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
  pulse: 22,
} as const;

/** What lies behind a number that is not written as bytes of its own. */
export interface Messages {
  readonly readiness: readonly Unreadiness[];
  readonly failure: FailureNote;
  readonly start: Start;
  readonly reload: { readonly texts: Texts; readonly cause: ReloadCause };
  readonly rotate: { readonly cause: RotationCause };
  readonly done: boolean;
  /** Those of prom-client. */
  readonly metrics: readonly object[];
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

/** What is spent or given back. */
export interface Spending {
  readonly issuerKey: string;
  readonly charges: readonly Charge[];
  readonly replay: ReplayCheck | undefined;
  readonly now: Instant;
}

/** By their number. */
const REPLAY_MODES = ['once', 'same-key'] as const;
const NO_REPLAY = 255;

export function writeSpending(out: FrameWriter, { issuerKey, charges, replay, now }: Spending): void {
  out.number(now);
  out.text(issuerKey);
  out.byte(charges.length);
  for (const { limit, key, rate } of charges) {
    out.byte(LIMIT_NAMES.indexOf(limit));
    out.text(key);
    out.number(rate.burst);
    out.number(rate.count);
    out.number(rate.periodMs);
  }
  if (replay === undefined) {
    out.byte(NO_REPLAY);
    return;
  }
  out.byte(REPLAY_MODES.indexOf(replay.mode));
  out.text(replay.tokenHash);
  out.text(replay.spkiHash);
  out.number(replay.expiresAt);
}

export function readSpending(payload: Bytes): Spending {
  const reader = new PayloadReader(payload);
  const now = instantOf(reader.number());
  const issuerKey = reader.text();
  const charges: Charge[] = [];
  for (let left = reader.byte(); left > 0; left--)
    charges.push({
      limit: limitOf(reader.byte()),
      key: reader.text(),
      rate: { burst: reader.number(), count: reader.number(), periodMs: reader.number() },
    });
  const mode = REPLAY_MODES[reader.byte()];
  if (mode === undefined) return { issuerKey, charges, replay: undefined, now };
  const [tokenHash, spkiHash] = [reader.text(), reader.text()];
  const expiresAt = instantOf(reader.number());
  return { issuerKey, charges, replay: { mode, tokenHash, spkiHash, expiresAt }, now };
}

function limitOf(number: number): LimitName {
  const limit = LIMIT_NAMES[number];
  if (limit === undefined) throw new RangeError(`there is no limit number ${number}`);
  return limit;
}

const ALLOWED = 0;
const LIMITED = 1;
/** By their number less 2. */
const REFUSALS = ['replayed', 'unavailable'] as const;

/** `charges` are those that the verdict is about, in their order; whoever asked has them at hand. */
export function writeVerdict(out: FrameWriter, verdict: Verdict, charges: readonly Charge[]): void {
  if (!verdict.allowed && verdict.reason !== 'limited') {
    out.byte(2 + REFUSALS.indexOf(verdict.reason));
    return;
  }
  out.byte(verdict.allowed ? ALLOWED : LIMITED);
  for (const { remaining, nextSeconds, resetSeconds, violated } of verdict.states) {
    out.number(remaining);
    out.number(nextSeconds);
    out.number(resetSeconds);
    out.byte(violated ? 1 : 0);
  }
  if (verdict.allowed) return;
  out.number(verdict.retryAfterMs);
  out.byte(charges.findIndex(({ limit }) => limit === verdict.limit));
}

/** `refund` is for a verdict that allows. */
export function readVerdict(
  payload: Bytes,
  charges: readonly Charge[],
  refund: () => Promise<void>,
): Verdict {
  const reader = new PayloadReader(payload);
  const outcome = reader.byte();
  const refusal = REFUSALS[outcome - 2];
  if (refusal !== undefined) return { allowed: false, reason: refusal };
  const states: LimitState[] = [];
  for (const { limit, rate } of charges)
    states.push({
      limit,
      rate,
      remaining: reader.number(),
      nextSeconds: reader.number(),
      resetSeconds: reader.number(),
      violated: reader.byte() === 1,
    });
  if (outcome === ALLOWED) return { allowed: true, states, refund };
  const retryAfterMs = reader.number();
  const strictest = charges[reader.byte()];
  if (strictest === undefined) throw new RangeError('a limit without a charge');
  const { limit, rate } = strictest;
  return { allowed: false, reason: 'limited', limit, rate, retryAfterMs, states };
}

/** Of one worker: its entries come with the same chain until its CA is another, so the chain is told once. */
export class EntryEncoder {
  #chain: readonly Bytes[] | undefined;

  write(out: FrameWriter, { issuerKeyHash, tbs, precertificate, chain }: PrecertEntry): void {
    const known = chain === this.#chain;
    out.byte(known ? 0 : 1);
    out.vector(issuerKeyHash);
    out.vector(tbs);
    out.vector(precertificate);
    if (known) return;
    out.byte(chain.length);
    for (const certificate of chain) out.vector(certificate);
    this.#chain = chain;
  }
}

/** Reads what the EntryEncoder of one worker wrote, in its order. A chain stays one object, by which a log knows what it has stored. */
export class EntryDecoder {
  #chain: readonly Bytes[] = [];

  /** Parts of the payload, but for the chain. */
  read(payload: Bytes): PrecertEntry {
    const reader = new PayloadReader(payload);
    const told = reader.byte() === 1;
    const [issuerKeyHash, tbs, precertificate] = [reader.vector(), reader.vector(), reader.vector()];
    if (told) this.#chain = Array.from({ length: reader.byte() }, () => reader.vector().slice());
    return { issuerKeyHash, tbs, precertificate, chain: this.#chain };
  }
}

export function writeSct(out: FrameWriter, { logId, timestamp, extensions, signature }: Sct): void {
  out.number(timestamp);
  out.vector(logId);
  out.vector(extensions);
  out.vector(signature);
}

/** Parts of the payload. */
export function readSct(payload: Bytes): Sct {
  const reader = new PayloadReader(payload);
  const timestamp = reader.number();
  return { timestamp, logId: reader.vector(), extensions: reader.vector(), signature: reader.vector() };
}
