// Sharded limiter: the Limiter over a fixed number of objects, each with the buckets whose hashes begin alike.

import { emissionOf } from '../admission/gcra.ts';
import { type Charge, type Limiter, limited, statesOf, type Verdict } from '../admission/limiter.ts';
import type { ReplayCheck } from '../admission/replay.ts';
import type { Instant } from '../clock.ts';
import type { LimitService, ShardVerdict } from './limit-service.ts';

/** The part of the service that a spend needs, for the shard of that name. */
export type Shard = {
  readonly [method in 'take' | 'give']: LimitService[method];
};

export type FindShard = (name: string) => Shard;

export interface ShardedLimiterOptions {
  readonly shard: FindShard;
  /** While a shard does not answer: limit in this isolate alone, let everything pass, or refuse. */
  readonly onFailure: 'local' | 'open' | 'closed';
  /** For `local`. */
  readonly local: Limiter;
  /** Told of a shard that did not answer. */
  readonly onError: (error: unknown) => void;
}

/** What one shard is asked for; `places` are those of its charges among all. */
interface Part {
  readonly name: string;
  readonly places: number[];
  replay: ReplayCheck | undefined;
}

/**
 * Keys are base64url of a hash, so their first character is six bits of it: 64 shards. An identity's bucket lies with its
 * owner's, so that one call decides about both. The shards of one issuance decide at the same time, and what one refuses
 * the others give back. Between the two a bucket may look emptier than it is to somebody else; it never gives more than
 * it has.
 */
export class ShardedLimiter implements Limiter {
  readonly #options: ShardedLimiterOptions;

  constructor(options: ShardedLimiterOptions) {
    this.#options = options;
  }

  async spend(
    issuerKey: string,
    charges: readonly Charge[],
    replay: ReplayCheck | undefined,
    now: Instant,
  ): Promise<Verdict> {
    const parts = partsOf(charges, replay);
    const verdicts = await Promise.all(parts.map((part) => this.#take(part, charges, now)));
    const taken = parts.filter((_, i) => verdicts[i]?.taken === true);
    if (taken.length === parts.length)
      return {
        allowed: true,
        states: statesOf(charges, debtsOf(charges, parts, verdicts)),
        refund: () => this.#give(taken, charges),
      };
    await this.#give(taken, charges);
    if (verdicts.some((verdict) => verdict?.taken === false && verdict.reason === 'replayed'))
      return { allowed: false, reason: 'replayed' };
    if (verdicts.some((verdict) => verdict?.taken === false))
      return limited(charges, debtsOf(charges, parts, verdicts, true));
    return this.#without(issuerKey, charges, replay, now);
  }

  /** Undefined where the shard does not answer. */
  async #take(part: Part, charges: readonly Charge[], now: Instant): Promise<ShardVerdict | undefined> {
    try {
      return await this.#options.shard(part.name).take(chargesOf(part, charges), part.replay, now);
    } catch (error) {
      this.#options.onError(error);
      return undefined;
    }
  }

  async #give(parts: readonly Part[], charges: readonly Charge[]): Promise<void> {
    await Promise.all(
      parts.map(async (part) => {
        try {
          await this.#options.shard(part.name).give(chargesOf(part, charges), part.replay);
        } catch (error) {
          this.#options.onError(error);
        }
      }),
    );
  }

  #without(
    issuerKey: string,
    charges: readonly Charge[],
    replay: ReplayCheck | undefined,
    now: Instant,
  ): Verdict | Promise<Verdict> {
    const { onFailure, local } = this.#options;
    // A token that may be used once must not pass where nobody knows whether it was.
    if (onFailure === 'closed' || replay !== undefined) return { allowed: false, reason: 'unavailable' };
    if (onFailure === 'open') return { allowed: true, states: [], refund: () => undefined };
    return local.spend(issuerKey, charges, undefined, now);
  }
}

function partsOf(charges: readonly Charge[], replay: ReplayCheck | undefined): readonly Part[] {
  const parts = new Map<string, Part>();
  const of = (hash: string): Part => {
    const name = hash.slice(0, 1);
    const part = parts.get(name) ?? { name, places: [], replay: undefined };
    parts.set(name, part);
    return part;
  };
  const owner = charges.find(({ limit }) => limit === 'certificates-per-owner');
  for (const [place, { limit, key }] of charges.entries()) {
    const together = limit === 'certificates-per-identity' ? (owner?.key ?? key) : key;
    of(together).places.push(place);
  }
  if (replay !== undefined) of(replay.tokenHash).replay = replay;
  return [...parts.values()];
}

function chargesOf({ places }: Part, charges: readonly Charge[]): { key: string; rate: Charge['rate'] }[] {
  return places.flatMap((place) => {
    const charge = charges[place];
    return charge === undefined ? [] : [{ key: charge.key, rate: charge.rate }];
  });
}

/** The debts of all charges in their order; `givenBack` as they are after what was taken came back. */
function debtsOf(
  charges: readonly Charge[],
  parts: readonly Part[],
  verdicts: readonly (ShardVerdict | undefined)[],
  givenBack = false,
): readonly number[] {
  const debts = charges.map(() => 0);
  for (const [i, { places }] of parts.entries()) {
    const verdict = verdicts[i];
    if (verdict === undefined || !('debts' in verdict)) continue;
    for (const [n, place] of places.entries()) {
      const charge = charges[place];
      const credit = givenBack && verdict.taken && charge !== undefined ? emissionOf(charge.rate) : 0;
      debts[place] = (verdict.debts[n] ?? 0) - credit;
    }
  }
  return debts;
}
