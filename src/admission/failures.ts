// Failures: what a client got wrong, counted in memory by address before its token is proven, by identity before its key is.

import type { Instant } from '../clock.ts';
import type { Random } from '../encoding/random.ts';
import { Problem, type ProblemCode } from '../problem.ts';
import type { CachedKeySets, KeySets } from '../token/keyset.ts';
import { clientOf } from './address.ts';
import type { BucketKeys } from './bucket-key.ts';
import { Buckets } from './buckets.ts';
import { debtOf, emissionOf, type Rate, toleranceOf } from './gcra.ts';
import type { LimitName, Limits } from './limit.ts';
import { type Limited, limited } from './limiter.ts';
import { LimitExceeded } from './refusal.ts';

const CAPACITY = 50_000;

/** Failed requests by client address. An exhausted address gets no outbound fetch; a token that verifies is served all the same. */
export class AddressFailures {
  readonly #limits: Limits;
  readonly #buckets: Buckets;
  readonly #onFailure: ((address: string, now: Instant) => void) | undefined;

  /** `onFailure` is told of each failure that was counted here. */
  constructor(limits: Limits, capacity = CAPACITY, onFailure?: (address: string, now: Instant) => void) {
    this.#limits = limits;
    this.#buckets = new Buckets(capacity);
    this.#onFailure = onFailure;
  }

  /** Throws LimitExceeded when the client behind `address` has used its failures up. */
  check(address: string, random: Random, now: Instant): void {
    const verdict = this.#verdict(clientOf(address), now);
    if (verdict !== undefined) throw new LimitExceeded(verdict, random, now);
  }

  /**
   * Runs `verify` and counts its failure, where that is the client's. A client that has used its failures up gets no
   * keys but those at hand: a token that verifies from them is as good as ever.
   */
  async guard<T>(
    address: string,
    keysets: CachedKeySets,
    random: Random,
    now: Instant,
    verify: (keysets: KeySets) => Promise<T>,
  ): Promise<T> {
    // Nearly always nobody has failed lately.
    const verdict = this.#buckets.size === 0 ? undefined : this.#verdict(clientOf(address), now);
    try {
      if (verdict === undefined) return await verify(keysets);
      return await verify(keysets.cachedOnly(() => new LimitExceeded(verdict, random, now)));
    } catch (failure) {
      if (failure instanceof Problem && failure.status === 400) {
        this.count(address, now);
        this.#onFailure?.(address, now);
      }
      throw failure;
    }
  }

  exhausted(address: string, now: Instant): boolean {
    return this.#verdict(clientOf(address), now) !== undefined;
  }

  /** Counts a failure. A 429 is none, nor is anything on our side. */
  count(address: string, now: Instant): void {
    const key = clientOf(address);
    take(this.#buckets, key, this.#rate(key), now);
  }

  #verdict(key: string, now: Instant): Limited | undefined {
    return shortage('failures-per-address', this.#buckets, key, this.#rate(key), now);
  }

  #rate(key: string): Rate {
    return this.#limits.rateOf('failures-per-address', key);
  }
}

/** Problems of a request whose key was not proven, after work that costs milliseconds. */
const UNPROVEN: ReadonlySet<ProblemCode> = new Set(['possession_unproven', 'key_rejected']);

/** Whose key is checked: a proven identity's quota ids. */
export interface Prover {
  readonly issuer: string;
  readonly identity: string;
}

/** Failed possession proofs by identity, looked at before the next proof is checked. */
export class FailedProofs {
  readonly #limits: Limits;
  readonly #keys: BucketKeys;
  readonly #buckets: Buckets;
  readonly #onFailure: ((prover: Prover, now: Instant) => void) | undefined;

  /** `onFailure` is told of each failure that was counted here. */
  constructor(
    limits: Limits,
    keys: BucketKeys,
    capacity = CAPACITY,
    onFailure?: (prover: Prover, now: Instant) => void,
  ) {
    this.#limits = limits;
    this.#keys = keys;
    this.#buckets = new Buckets(capacity);
    this.#onFailure = onFailure;
  }

  /** Counts a failure. */
  count(prover: Prover, now: Instant): void {
    take(this.#buckets, this.#key(prover), this.#rate(prover), now);
  }

  /** Runs `prove` and counts its failure, or throws LimitExceeded without running it. */
  async guard<T>(prover: Prover, random: Random, now: Instant, prove: () => T | Promise<T>): Promise<T> {
    // Nearly always nobody has failed lately; the hash is for when somebody has.
    const verdict = this.#buckets.size === 0 ? undefined : this.#verdict(prover, now);
    if (verdict !== undefined) throw new LimitExceeded(verdict, random, now);
    try {
      return await prove();
    } catch (failure) {
      if (failure instanceof Problem && UNPROVEN.has(failure.code)) {
        this.count(prover, now);
        this.#onFailure?.(prover, now);
      }
      throw failure;
    }
  }

  #verdict(prover: Prover, now: Instant): Limited | undefined {
    return shortage('failed-proofs-per-identity', this.#buckets, this.#key(prover), this.#rate(prover), now);
  }

  #key({ issuer, identity }: Prover): string {
    return this.#keys.of('failed-proofs-per-identity', issuer, identity);
  }

  #rate({ issuer, identity }: Prover): Rate {
    return this.#limits.rate('failed-proofs-per-identity', issuer, identity);
  }
}

/** The refusal for an empty bucket; undefined while it has a token. */
function shortage(
  limit: LimitName,
  buckets: Buckets,
  key: string,
  rate: Rate,
  now: Instant,
): Limited | undefined {
  const at = now * 1000;
  const tat = buckets.get(key);
  const debt = debtOf(tat, at, rate);
  if (debt + emissionOf(rate) <= toleranceOf(rate)) return undefined;
  if (tat !== undefined && tat > at + debt) buckets.set(key, at + debt, at); // the clock was set back
  return limited([{ limit, key, rate }], [debt]);
}

/** Takes a token, where there is one. */
function take(buckets: Buckets, key: string, rate: Rate, now: Instant): void {
  const at = now * 1000;
  const debt = debtOf(buckets.get(key), at, rate) + emissionOf(rate);
  if (debt <= toleranceOf(rate)) buckets.set(key, at + debt, at);
}
