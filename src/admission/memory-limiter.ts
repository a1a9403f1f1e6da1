// MemoryLimiter: the Limiter for a single process, and the share that stands in for Redis while that is away.

import type { Instant } from '../clock.ts';
import { Buckets } from './buckets.ts';
import { debtOf, emissionOf, type Rate, toleranceOf } from './gcra.ts';
import type { LimitName } from './limit.ts';
import { type Charge, type Limiter, limited, statesOf, type Verdict } from './limiter.ts';
import { type ReplayCheck, ReplayRecords } from './replay.ts';

export interface MemoryLimiterOptions {
  /** Buckets kept for each limit. About 130 bytes each. */
  readonly capacity?: number;
  /** Above 0 and at most 1: the part of every burst and refill that this process may grant by itself. */
  readonly share?: number;
  readonly replays?: ReplayRecords;
}

export class MemoryLimiter implements Limiter {
  readonly #buckets = new Map<LimitName, Buckets>();
  readonly #capacity: number;
  readonly #share: number;
  readonly #scaled = new WeakMap<Rate, Rate>();
  readonly replays: ReplayRecords;

  constructor(options: MemoryLimiterOptions = {}) {
    this.#capacity = options.capacity ?? 100_000;
    this.#share = options.share ?? 1;
    this.replays = options.replays ?? new ReplayRecords();
  }

  spend(
    _issuerKey: string,
    charges: readonly Charge[],
    replay: ReplayCheck | undefined,
    now: Instant,
  ): Verdict {
    if (replay !== undefined) {
      const answer = this.replays.check(replay, now);
      if (answer !== 'fresh') {
        return { allowed: false, reason: answer === 'full' ? 'unavailable' : 'replayed' };
      }
    }
    const own = this.#share === 1 ? charges : charges.map((charge) => this.#scale(charge));
    const at = now * 1000;
    const debts: number[] = [];
    let denied = false;
    for (const { limit, key, rate } of own) {
      const debt = debtOf(this.#of(limit).get(key), at, rate);
      debts.push(debt);
      if (debt + emissionOf(rate) > toleranceOf(rate)) denied = true;
    }
    if (denied) {
      for (const [i, { limit, key }] of own.entries()) {
        const buckets = this.#of(limit);
        // What `debtOf` cut off must stay off, or waiting as told would not help.
        if ((buckets.get(key) ?? 0) > at + (debts[i] ?? 0)) buckets.set(key, at + (debts[i] ?? 0), at);
      }
      return limited(own, debts);
    }
    for (const [i, { limit, key, rate }] of own.entries()) {
      const debt = (debts[i] ?? 0) + emissionOf(rate);
      debts[i] = debt;
      this.#of(limit).set(key, at + debt, at);
    }
    if (replay !== undefined) this.replays.record(replay, now);
    return { allowed: true, states: statesOf(own, debts), refund: () => this.#refund(own, replay) };
  }

  /** Gives back what a spend of the same took. */
  give(charges: readonly Charge[], replay: ReplayCheck | undefined): void {
    this.#refund(this.#share === 1 ? charges : charges.map((charge) => this.#scale(charge)), replay);
  }

  /** Buckets in memory now, those that have refilled but not been swept included. */
  get size(): number {
    let size = 0;
    for (const buckets of this.#buckets.values()) size += buckets.size;
    return size;
  }

  #refund(charges: readonly Charge[], replay: ReplayCheck | undefined): void {
    for (const { limit, key, rate } of charges) this.#of(limit).credit(key, emissionOf(rate));
    if (replay !== undefined) this.replays.release(replay);
  }

  #of(limit: LimitName): Buckets {
    let buckets = this.#buckets.get(limit);
    if (buckets === undefined) {
      buckets = new Buckets(this.#capacity);
      this.#buckets.set(limit, buckets);
    }
    return buckets;
  }

  #scale(charge: Charge): Charge {
    let rate = this.#scaled.get(charge.rate);
    if (rate === undefined) {
      const { burst, count, periodMs } = charge.rate;
      // A longer period instead of a smaller count, which may be 1 already.
      rate = {
        burst: Math.max(1, Math.floor(burst * this.#share)),
        count,
        periodMs: Math.ceil(periodMs / this.#share),
      };
      this.#scaled.set(charge.rate, rate);
    }
    return { ...charge, rate };
  }
}
