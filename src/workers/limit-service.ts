// Limit service: what the stateless Workers ask of a shard of the limiter.

import type { Rate } from '../admission/gcra.ts';
import type { ReplayCheck } from '../admission/replay.ts';

/** One bucket of the shard. */
export interface ShardCharge {
  readonly key: string;
  readonly rate: Rate;
}

/** What a shard did: took a token from every bucket asked for and counted the token's use, or nothing. */
export type ShardVerdict =
  | { readonly taken: true; readonly debts: readonly number[] }
  /** `debts` in microseconds, nothing spent. */
  | { readonly taken: false; readonly reason: 'limited'; readonly debts: readonly number[] }
  | { readonly taken: false; readonly reason: 'replayed' };

export interface LimitService {
  /** `now` in milliseconds. */
  take(charges: readonly ShardCharge[], replay: ReplayCheck | undefined, now: number): Promise<ShardVerdict>;
  /** Gives back what `take` took. */
  give(charges: readonly ShardCharge[], replay: ReplayCheck | undefined): Promise<void>;
}
