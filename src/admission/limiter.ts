// Limiter: the port that spends one token from each of an issuance's buckets, or from none.

import type { Instant } from '../clock.ts';
import { emissionOf, millisecondsOf, type Rate, toleranceOf } from './gcra.ts';
import type { LimitName } from './limit.ts';
import type { ReplayCheck } from './replay.ts';

/** One bucket that an issuance takes a token from. */
export interface Charge {
  readonly limit: LimitName;
  /** A hash that is unique across limits and issuers; never a claim in clear. */
  readonly key: string;
  readonly rate: Rate;
}

/** How a bucket stands after a decision. */
export interface LimitState {
  readonly limit: LimitName;
  readonly rate: Rate;
  /** Whole tokens left. */
  readonly remaining: number;
  /** Seconds, rounded up, until there is one more; 0 when the bucket is full. */
  readonly nextSeconds: number;
  /** Seconds, rounded up, until the bucket is full. */
  readonly resetSeconds: number;
  /** True where this bucket had no token left for the request. */
  readonly violated: boolean;
}

export interface Allowed {
  readonly allowed: true;
  readonly states: readonly LimitState[];
  /** Gives everything that was spent back, to wherever it was spent. Never rejects. */
  refund(): void | Promise<void>;
}

export interface Limited {
  readonly allowed: false;
  readonly reason: 'limited';
  /** The bucket that makes the client wait longest. */
  readonly limit: LimitName;
  readonly rate: Rate;
  readonly retryAfterMs: number;
  readonly states: readonly LimitState[];
}

/** `replayed`: the token may not be used for this key; `unavailable`: nobody can tell now, and the operator chose to refuse then. */
export interface Refused {
  readonly allowed: false;
  readonly reason: 'replayed' | 'unavailable';
}

export type Verdict = Allowed | Limited | Refused;

export interface Limiter {
  /**
   * Takes one token from every bucket and counts a use of the token, or changes nothing when any of it is refused.
   * `issuerKey` is a hash that keeps what belongs to one issuer together (a Redis hash tag). Never rejects.
   */
  spend(
    issuerKey: string,
    charges: readonly Charge[],
    replay: ReplayCheck | undefined,
    now: Instant,
  ): Verdict | Promise<Verdict>;
}

/** The verdict when a bucket was empty; `debts[i]` is that of `charges[i]`, in microseconds, nothing spent. */
export function limited(charges: readonly Charge[], debts: readonly number[]): Limited {
  const states: LimitState[] = [];
  let strictest: Charge | undefined;
  let wait = -1;
  for (const [i, charge] of charges.entries()) {
    const debt = debts[i] ?? 0;
    const missing = debt + emissionOf(charge.rate) - toleranceOf(charge.rate);
    states.push(stateOf(charge, debt, missing > 0));
    if (missing > wait) [strictest, wait] = [charge, missing];
  }
  if (strictest === undefined) throw new RangeError('a limit without a charge');
  const { limit, rate } = strictest;
  return { allowed: false, reason: 'limited', limit, rate, retryAfterMs: millisecondsOf(wait), states };
}

/** How the buckets stand after a spend; `debts` in microseconds, the spend included. */
export function statesOf(charges: readonly Charge[], debts: readonly number[]): readonly LimitState[] {
  return charges.map((charge, i) => stateOf(charge, debts[i] ?? 0, false));
}

function stateOf({ limit, rate }: Charge, debt: number, violated: boolean): LimitState {
  const emission = emissionOf(rate);
  const spare = toleranceOf(rate) - debt;
  const remaining = Math.floor(spare / emission);
  return {
    limit,
    rate,
    remaining,
    nextSeconds: debt === 0 ? 0 : Math.ceil(((remaining + 1) * emission - spare) / 1e6),
    resetSeconds: Math.ceil(debt / 1e6),
    violated,
  };
}
