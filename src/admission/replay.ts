// Replay: how often, and for which keys, one token may be used; the record lives as long as the token could be accepted.

import type { Instant } from '../clock.ts';

/** `allow`: until it expires; `same-key`: only for the public key it was first used with; `once`: for one certificate. */
export type ReplayMode = 'allow' | 'same-key' | 'once';

export interface ReplayCheck {
  readonly mode: Exclude<ReplayMode, 'allow'>;
  /** Names the token: base64url SHA-256 of what its issuer signed. */
  readonly tokenHash: string;
  /** base64url SHA-256 of the SubjectPublicKeyInfo. */
  readonly spkiHash: string;
  /** When no clock leeway lets the token pass any more. */
  readonly expiresAt: Instant;
}

/** The clock leeway that a verifier may grant, and then some, so that the record outlives the token. */
export const REPLAY_MARGIN_MS = 120_000;

interface ReplayRecord {
  readonly spkiHash: string;
  readonly expiresAt: number;
  /** Certificates issued; an issuance that fails on our side takes its use back without freeing those of others. */
  uses: number;
}

export type ReplayAnswer = 'fresh' | 'replayed' | 'full';

/** Records in memory, at most `capacity` of them: when full of live ones, new tokens are refused rather than old ones forgotten. */
export class ReplayRecords {
  readonly #records = new Map<string, ReplayRecord>();
  readonly #capacity: number;
  #cursor = this.#records.entries();

  constructor(capacity = 250_000) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#records.size;
  }

  /** Looks, and changes nothing that counts. */
  check(replay: ReplayCheck, now: Instant): ReplayAnswer {
    const record = this.#records.get(replay.tokenHash);
    if (record !== undefined && record.expiresAt > now) {
      return replay.mode === 'same-key' && record.spkiHash === replay.spkiHash ? 'fresh' : 'replayed';
    }
    if (record === undefined && this.#records.size >= this.#capacity) {
      this.#sweep(now, 64);
      if (this.#records.size >= this.#capacity) return 'full';
    }
    return 'fresh';
  }

  /** Counts a use after `check` said `fresh`. */
  record(replay: ReplayCheck, now: Instant): void {
    const { tokenHash, spkiHash, expiresAt } = replay;
    const record = this.#records.get(tokenHash);
    if (record !== undefined && record.expiresAt > now) record.uses += 1;
    else this.#records.set(tokenHash, { spkiHash, expiresAt, uses: 1 });
    this.#sweep(now, 2);
  }

  /** Takes one use back. */
  release(replay: ReplayCheck): void {
    const record = this.#records.get(replay.tokenHash);
    if (record === undefined || record.spkiHash !== replay.spkiHash) return;
    record.uses -= 1;
    if (record.uses <= 0) this.#records.delete(replay.tokenHash);
  }

  #sweep(now: Instant, steps: number): void {
    for (let i = 0; i < steps; i++) {
      const next = this.#cursor.next();
      if (next.done) {
        this.#cursor = this.#records.entries();
        return;
      }
      const [tokenHash, { expiresAt }] = next.value;
      if (expiresAt <= now) this.#records.delete(tokenHash);
    }
  }
}
