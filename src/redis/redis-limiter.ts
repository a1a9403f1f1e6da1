// RedisLimiter: limits and replay rules shared by all replicas of the CA through Redis, in one round trip for an issuance.

import type { Result } from 'ioredis';
import { emissionOf, toleranceOf } from '../admission/gcra.ts';
import { type Charge, type Limiter, limited, statesOf, type Verdict } from '../admission/limiter.ts';
import { MemoryLimiter } from '../admission/memory-limiter.ts';
import type { ReplayCheck } from '../admission/replay.ts';
import { type Instant, instantOf } from '../clock.ts';
import { Availability, type BackendState } from './availability.ts';
import { Budget } from './budget.ts';
import type { RedisClient } from './connection.ts';
import { REFUND_SCRIPT, spendScript } from './scripts.ts';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    mayflySpend(keys: number, ...args: readonly (string | number)[]): Result<number[], Context>;
    mayflyRefund(keys: number, ...args: readonly (string | number)[]): Result<number, Context>;
  }
}

export interface RedisLimiterOptions {
  /**
   * While Redis does not answer: `local` goes on under the same rules with this process's share in memory, `open`
   * limits nothing, `closed` refuses. Replay rules hold in all three, in the first two for tokens this process has seen.
   */
  readonly onBackendError?: 'local' | 'open' | 'closed';
  /** Above 0 and at most 1: this process's part of every limit meanwhile. One half unless told: Redis is for two or more. */
  readonly share?: number;
  /** Milliseconds that Redis has for an answer. */
  readonly budget?: number;
  readonly onState?: (state: BackendState, cause?: unknown) => void;
  /** What all keys begin with, so that an ACL can name them. */
  readonly prefix?: string;
}

/** A bucket of its own, so that a probe writes as a spend does: a replica that only reads is no help. */
const PROBE: Charge = {
  limit: 'certificates-per-issuer',
  key: 'probe',
  rate: { burst: 1_000_000, count: 1000, periodMs: 1000 },
};

export class RedisLimiter implements Limiter {
  readonly #client: RedisClient;
  readonly #local: MemoryLimiter;
  readonly #whenLost: 'local' | 'open' | 'closed';
  readonly #budget: Budget;
  readonly #prefix: string;
  readonly #availability: Availability;

  /** Owns the client from now on. */
  constructor(client: RedisClient, options: RedisLimiterOptions = {}) {
    this.#client = client;
    this.#whenLost = options.onBackendError ?? 'local';
    this.#local = new MemoryLimiter({ share: options.share ?? 0.5 });
    this.#budget = new Budget(options.budget ?? 50);
    this.#prefix = options.prefix ?? 'mayfly';
    client.defineCommand('mayflySpend', { lua: spendScript() });
    client.defineCommand('mayflyRefund', { lua: REFUND_SCRIPT });
    this.#availability = new Availability({
      probe: (lane) => this.#probe(lane),
      onState: options.onState,
    });
  }

  get state(): BackendState {
    return this.#availability.state;
  }

  /** Resolves when Redis answers, or has been given up for now: an absent Redis delays the start, and does not prevent it. */
  async ready(patience = 1000): Promise<void> {
    const deadline = performance.now() + patience;
    for (;;) {
      try {
        return await this.#probe('');
      } catch (cause) {
        if (performance.now() >= deadline) return this.#availability.lose(this.#lane(''), cause);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async spend(
    issuerKey: string,
    charges: readonly Charge[],
    replay: ReplayCheck | undefined,
    now: Instant,
  ): Promise<Verdict> {
    const lane = this.#lane(issuerKey);
    if (!this.#availability.isUp(lane)) return this.#without(issuerKey, charges, replay, now);
    const work = this.#send(issuerKey, charges, replay, now);
    let answer: readonly number[];
    try {
      answer = await this.#budget.within(work);
    } catch (cause) {
      this.#availability.lose(lane, cause);
      const verdict = this.#without(issuerKey, charges, replay, now);
      this.#takeBackLate(work, issuerKey, charges, verdict.allowed ? undefined : replay);
      return verdict;
    }
    const [outcome, ...debts] = answer;
    if (outcome === -1) return { allowed: false, reason: 'replayed' };
    if (outcome !== 1) return limited(charges, debts);
    // Known here too, so that an outage does not free the tokens that this process has seen.
    const seen = replay !== undefined && this.#local.replays.check(replay, now) === 'fresh';
    if (seen) this.#local.replays.record(replay, now);
    return {
      allowed: true,
      states: statesOf(charges, debts),
      refund: () => {
        if (seen) this.#local.replays.release(replay);
        return this.#giveBack(issuerKey, charges, replay);
      },
    };
  }

  close(): void {
    this.#availability.close();
    this.#client.disconnect();
  }

  /** On a Cluster one node's failure is not everyone's; elsewhere it is. */
  #lane(issuerKey: string): string {
    return this.#client.isCluster ? issuerKey : '';
  }

  #without(
    issuerKey: string,
    charges: readonly Charge[],
    replay: ReplayCheck | undefined,
    now: Instant,
  ): Verdict {
    if (this.#whenLost === 'closed') return { allowed: false, reason: 'unavailable' };
    return this.#local.spend(issuerKey, this.#whenLost === 'open' ? [] : charges, replay, now);
  }

  async #probe(issuerKey: string): Promise<void> {
    await this.#budget.within(this.#send(issuerKey, [PROBE], undefined, instantOf(0)));
  }

  async #send(
    issuerKey: string,
    charges: readonly Charge[],
    replay: ReplayCheck | undefined,
    now: Instant,
  ): Promise<readonly number[]> {
    // A Cluster would queue until it is one again, and then run what was long answered otherwise.
    if (this.#client.status !== 'ready') throw new Error('Redis is not connected');
    const args: (string | number)[] = this.#keys(issuerKey, charges, replay);
    const keys = args.length;
    args.push(charges.length);
    for (const { rate } of charges) args.push(emissionOf(rate), toleranceOf(rate));
    if (replay !== undefined) {
      args.push(replay.mode, replay.spkiHash, Math.max(1, replay.expiresAt - now));
    }
    return this.#client.mayflySpend(keys, ...args);
  }

  /** What Redis spent although the answer came too late to count. The use of a token stays counted if it gave a certificate. */
  #takeBackLate(
    work: Promise<readonly number[]>,
    issuerKey: string,
    charges: readonly Charge[],
    unused: ReplayCheck | undefined,
  ): void {
    work
      .then(([outcome]) => (outcome === 1 ? this.#giveBack(issuerKey, charges, unused) : undefined))
      .catch(() => {}); // the cause was told
  }

  async #giveBack(
    issuerKey: string,
    charges: readonly Charge[],
    replay: ReplayCheck | undefined,
  ): Promise<void> {
    const args: (string | number)[] = this.#keys(issuerKey, charges, replay);
    const keys = args.length;
    if (keys === 0) return;
    args.push(charges.length, ...charges.map(({ rate }) => emissionOf(rate)));
    if (replay !== undefined) args.push(replay.spkiHash);
    try {
      await this.#budget.within(this.#client.mayflyRefund(keys, ...args));
    } catch (cause) {
      this.#availability.lose(this.#lane(issuerKey), cause); // the tokens flow back by themselves
    }
  }

  #keys(issuerKey: string, charges: readonly Charge[], replay: ReplayCheck | undefined): string[] {
    const tag = `${this.#prefix}:{${issuerKey}}:`;
    const keys = charges.map(({ key }) => tag + key);
    if (replay !== undefined) keys.push(`${tag}t${replay.tokenHash}`);
    return keys;
  }
}
