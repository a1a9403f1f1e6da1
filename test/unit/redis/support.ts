// What the Redis tests share: charges, spending, and waiting for a change of state instead of for a time.

import type { Rate } from '../../../src/admission/gcra.ts';
import type { LimitName } from '../../../src/admission/limit.ts';
import type { Charge, Verdict } from '../../../src/admission/limiter.ts';
import type { ReplayCheck } from '../../../src/admission/replay.ts';
import { instantOf, systemClock } from '../../../src/clock.ts';
import type { BackendState } from '../../../src/redis/availability.ts';
import { connectRedis, type RedisSettings } from '../../../src/redis/connection.ts';
import { RedisLimiter, type RedisLimiterOptions } from '../../../src/redis/redis-limiter.ts';

/** Refills too slowly for any test to see it. */
export const slow = (burst: number): Rate => ({ burst, count: 1, periodMs: 86_400_000 });

export const charge = (limit: LimitName, key: string, rate: Rate): Charge => ({ limit, key, rate });
export const identity = (burst: number, key = 'identity'): Charge =>
  charge('certificates-per-identity', key, slow(burst));
export const owner = (burst: number): Charge => charge('certificates-per-owner', 'owner', slow(burst));

export const use = (over: Partial<ReplayCheck> = {}): ReplayCheck => ({
  mode: 'same-key',
  tokenHash: 'token',
  spkiHash: 'key',
  expiresAt: instantOf(Date.now() + 600_000),
  ...over,
});

export interface Observed {
  readonly limiter: RedisLimiter;
  /** Every change so far. */
  readonly changes: BackendState[];
  /** Resolves when the state is that, now or after its next change. */
  reaches(state: BackendState): Promise<void>;
}

export function observe(settings: RedisSettings, options: RedisLimiterOptions = {}): Observed {
  const changes: BackendState[] = [];
  let waiting: { readonly state: BackendState; resolve(): void }[] = [];
  const limiter = new RedisLimiter(connectRedis(settings), {
    ...options,
    onState: (state) => {
      changes.push(state);
      for (const one of waiting) if (one.state === state) one.resolve();
      waiting = waiting.filter((one) => one.state !== state);
    },
  });
  return {
    limiter,
    changes,
    reaches: (state) =>
      limiter.state === state
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push({ state, resolve: () => resolve() })),
  };
}

export async function spend(
  limiter: RedisLimiter,
  charges: readonly Charge[],
  replay?: ReplayCheck,
  issuerKey = 'issuer',
): Promise<Verdict> {
  return limiter.spend(issuerKey, charges, replay, systemClock.now());
}

/** How many of `times` requests at once are granted. */
export async function grants(
  limiter: RedisLimiter,
  charges: readonly Charge[],
  times: number,
  issuerKey = 'issuer',
): Promise<number> {
  const verdicts = await Promise.all(
    Array.from({ length: times }, () => spend(limiter, charges, undefined, issuerKey)),
  );
  return verdicts.filter(({ allowed }) => allowed).length;
}
