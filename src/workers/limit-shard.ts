// Limit shard: one part of the limiter's buckets and replay records; what it does, it does in one synchronous step.

import { debtOf, emissionOf, type Rate, toleranceOf } from '../admission/gcra.ts';
import type { ReplayCheck } from '../admission/replay.ts';
import type { ShardCharge, ShardVerdict } from './limit-service.ts';

export interface ReplayRecord {
  readonly spkiHash: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Certificates issued. */
  readonly uses: number;
}

/** Where a shard keeps its state; synchronous, so that nothing comes between a look and a write. */
export interface ShardStore {
  /** Theoretical arrival time of a bucket, microseconds since the epoch; undefined for one that is full. */
  tat(key: string): number | undefined;
  /** `now` in microseconds. */
  setTat(key: string, tat: number, rate: Rate, now: number): void;
  /** Gives `microseconds` back. */
  credit(key: string, microseconds: number): void;
  replay(tokenHash: string): ReplayRecord | undefined;
  /** Undefined forgets it. */
  setReplay(tokenHash: string, record: ReplayRecord | undefined): void;
}

/** Takes a token from every bucket and counts the token's use, or changes nothing that counts. */
export function take(
  store: ShardStore,
  charges: readonly ShardCharge[],
  replay: ReplayCheck | undefined,
  now: number,
): ShardVerdict {
  const record = replay && store.replay(replay.tokenHash);
  const live = record !== undefined && record.expiresAt > now ? record : undefined;
  if (replay !== undefined && live !== undefined) {
    const isSameKey = replay.mode === 'same-key' && live.spkiHash === replay.spkiHash;
    if (!isSameKey) return { taken: false, reason: 'replayed' };
  }
  const at = now * 1000;
  const debts = charges.map(({ key, rate }) => debtOf(store.tat(key), at, rate));
  const denied = charges.some(({ rate }, i) => (debts[i] ?? 0) + emissionOf(rate) > toleranceOf(rate));
  for (const [i, { key, rate }] of charges.entries()) {
    const debt = debts[i] ?? 0;
    if (!denied) {
      debts[i] = debt + emissionOf(rate);
      store.setTat(key, at + debt + emissionOf(rate), rate, at);
    } else if ((store.tat(key) ?? 0) > at + debt) {
      // What `debtOf` cut off must stay off, or waiting as told would not help.
      store.setTat(key, at + debt, rate, at);
    }
  }
  if (denied) return { taken: false, reason: 'limited', debts };
  if (replay !== undefined) {
    const { tokenHash, spkiHash, expiresAt } = replay;
    store.setReplay(tokenHash, live ? { ...live, uses: live.uses + 1 } : { spkiHash, expiresAt, uses: 1 });
  }
  return { taken: true, debts };
}

/** Gives back what `take` took. */
export function give(
  store: ShardStore,
  charges: readonly ShardCharge[],
  replay: ReplayCheck | undefined,
): void {
  for (const { key, rate } of charges) store.credit(key, emissionOf(rate));
  const record = replay && store.replay(replay.tokenHash);
  if (replay === undefined || record?.spkiHash !== replay.spkiHash) return;
  const left = { ...record, uses: record.uses - 1 };
  store.setReplay(replay.tokenHash, left.uses > 0 ? left : undefined);
}
