// Wildcard keyrings: the issuers that one pattern has matched, within a budget of how many and how often.

import type { Instant } from '../clock.ts';
import type { Problem } from '../problem.ts';
import { IssuerFault, unreachable } from './issuer-fault.ts';
import type { KeyHolder, Keyring } from './keyring.ts';
import type { CandidateKeys, KeyRequest } from './keyset.ts';

export interface WildcardLimits {
  /** Issuers of one pattern whose keys are kept. */
  readonly maxIssuers: number;
  /** Fetches in a minute for issuers of one pattern whose keys are not kept yet. */
  readonly fetchesPerMinute: number;
}

const minute = 60_000;

export class WildcardKeyrings implements KeyHolder {
  readonly #limits: WildcardLimits;
  readonly #newRing: (iss: string, permit: (now: Instant) => boolean) => Keyring;
  readonly #rings = new Map<string, Keyring>(); // the one used last at the end
  #windowStart = Number.NEGATIVE_INFINITY;
  #spent = 0;

  /** A new ring must ask its `permit` before it fetches keys that it does not have. */
  constructor(limits: WildcardLimits, newRing: (iss: string, permit: (now: Instant) => boolean) => Keyring) {
    this.#limits = limits;
    this.#newRing = newRing;
  }

  async candidates(
    request: KeyRequest,
    failed: CandidateKeys | undefined,
    refuse: (() => Problem) | undefined,
  ): Promise<CandidateKeys> {
    const known = this.#rings.get(request.iss);
    if (known === undefined && refuse) throw refuse();
    if (known === undefined && this.#left(request.now) === 0)
      throw unreachable(new IssuerFault('budget_exhausted', 'discovery document', 'budget of the wildcard'));
    const ring = known ?? this.#newRing(request.iss, (now) => this.#spend(now));
    this.#use(request.iss, ring);
    return ring.candidates(request, failed, refuse);
  }

  #use(iss: string, ring: Keyring): void {
    this.#rings.delete(iss);
    this.#rings.set(iss, ring);
    if (this.#rings.size <= this.#limits.maxIssuers) return;
    // The longest unused goes, one without keys first: made-up issuers must not push out real ones.
    const others = [...this.#rings].filter(([, other]) => other !== ring);
    const victim = others.find(([, other]) => other.keysFetchedAt === undefined) ?? others[0];
    if (victim) this.#rings.delete(victim[0]);
  }

  #spend(now: Instant): boolean {
    if (this.#left(now) === 0) return false;
    this.#spent += 1;
    return true;
  }

  #left(now: Instant): number {
    if (Math.abs(now - this.#windowStart) >= minute) {
      this.#windowStart = now;
      this.#spent = 0;
    }
    return this.#limits.fetchesPerMinute - this.#spent;
  }
}
