// Keyring: one issuer's keys as we hold them: when they are fetched again, and how long they serve when that fails.

import type { Clock, Instant } from '../clock.ts';
import { Problem } from '../problem.ts';
import { IssuerFault, unreachable } from './issuer-fault.ts';
import type { KeySource, LoadedKeys } from './key-source.ts';
import type { CandidateKeys, KeyRequest } from './keyset.ts';

export interface KeyringLimits {
  /** Age from which keys are fetched again in the background while they go on serving. */
  readonly refreshAfterMs: number;
  /** Age from which a token waits for that fetch, unless the issuer is known to be down. */
  readonly waitAfterMs: number;
  /** Age up to which keys serve while the issuer is down. */
  readonly maxStaleMs: number;
  /** Between two fetches that tokens with unknown keys cause. */
  readonly cooldownMs: number;
  /** Pause after a failed fetch; doubled with each further one up to the maximum. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** Tokens that may wait for one fetch. */
  readonly maxWaiters: number;
}

export interface KeyringParts {
  readonly source: Pick<KeySource, 'load'>;
  readonly clock: Clock;
  readonly limits: KeyringLimits;
  /** Whether keys that we do not have may be fetched now; spends from a wildcard's budget. */
  readonly permit: (now: Instant) => boolean;
  /** Told about every fetch; must not throw. */
  readonly observe: (fault: IssuerFault | undefined) => void;
}

/** One way to come by the keys of an entry. */
export interface KeyHolder {
  /** As KeySets.candidates. Where `refuse` is given, nothing is fetched: a token that needs it gets that Problem. */
  candidates(
    request: KeyRequest,
    failed: CandidateKeys | undefined,
    refuse: (() => Problem) | undefined,
  ): Promise<CandidateKeys>;
}

type HeldKeys = LoadedKeys & { readonly at: Instant };

export class Keyring implements KeyHolder {
  readonly #parts: KeyringParts;
  #held: HeldKeys | undefined;
  #fault: IssuerFault | undefined;
  #failures = 0;
  #retryAt = Number.NEGATIVE_INFINITY;
  #fetchedAt = Number.NEGATIVE_INFINITY; // start of the last attempt
  #inFlight: Promise<void> | undefined;
  #waiters = 0;

  constructor(parts: KeyringParts) {
    this.#parts = parts;
  }

  /** Undefined until a first fetch has succeeded. */
  get keysFetchedAt(): Instant | undefined {
    return this.#held?.at;
  }

  /** Why the last fetch failed; undefined when it did not. */
  get fault(): IssuerFault | undefined {
    return this.#fault;
  }

  async candidates(
    request: KeyRequest,
    failed: CandidateKeys | undefined,
    refuse: (() => Problem) | undefined,
  ): Promise<CandidateKeys> {
    const { now } = request;
    const held = this.#usable(now, refuse === undefined) ?? (await this.#fetched(now, refuse));
    const found = await find(held, request);
    if (!held.algorithms.includes(request.alg) || isNews(found, failed)) return found;
    if (await this.#isRenewed(now, refuse)) {
      const renewed = await find(this.#held ?? held, request);
      if (isNews(renewed, failed)) return renewed;
    }
    if (failed) return failed;
    if (this.#fault) throw this.#unreachable(); // a key may well be there, but we cannot look
    throw new Problem('key_id_unknown', { field: 'kid', hint: this.#hintAbout(request) });
  }

  /** Fetches the keys now unless that is under way. Never rejects: the outcome is `fault`. */
  refresh(): Promise<void> {
    this.#inFlight ??= this.#load().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #load(): Promise<void> {
    const { source, clock, limits, observe } = this.#parts;
    const at = clock.now();
    this.#fetchedAt = at;
    try {
      this.#held = { ...(await source.load()), at };
      this.#fault = undefined;
      this.#failures = 0;
      this.#retryAt = Number.NEGATIVE_INFINITY;
    } catch (error) {
      this.#fault = IssuerFault.from(error, 'key set');
      const pause = limits.minBackoffMs * 2 ** Math.min(this.#failures, 20);
      this.#retryAt = clock.now() + Math.min(pause, limits.maxBackoffMs);
      this.#failures += 1;
    }
    observe(this.#fault);
  }

  /** The keys in hand where they serve without waiting; starts the fetch in the background when it is time for one. */
  #usable(now: Instant, mayFetch: boolean): HeldKeys | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    const { refreshAfterMs, waitAfterMs, maxStaleMs } = this.#parts.limits;
    const age = now - held.at;
    if (age >= refreshAfterMs && mayFetch && !this.#isPaused(now)) void this.refresh();
    if (age < waitAfterMs) return held;
    return age < maxStaleMs && (this.#failures > 0 || !mayFetch) ? held : undefined;
  }

  async #fetched(now: Instant, refuse: (() => Problem) | undefined): Promise<HeldKeys> {
    if (this.#inFlight === undefined && this.#isPaused(now)) throw this.#unreachable();
    if (refuse) throw refuse();
    if (this.#inFlight === undefined) {
      if (this.#held === undefined && !this.#parts.permit(now))
        throw unreachable(
          new IssuerFault('budget_exhausted', 'discovery document', 'budget of the wildcard'),
        );
      void this.refresh();
    }
    if (!(await this.#isAwaited()))
      throw unreachable(new IssuerFault('busy', 'discovery document', 'too many tokens wait'));
    const held = this.#held;
    if (held && now - held.at < this.#parts.limits.maxStaleMs) return held;
    throw this.#unreachable();
  }

  /** Whether a fetch that this token caused or shared is over; none where the last one was just now. */
  async #isRenewed(now: Instant, refuse: (() => Problem) | undefined): Promise<boolean> {
    if (this.#inFlight === undefined) {
      const isRecent = Math.abs(now - this.#fetchedAt) < this.#parts.limits.cooldownMs;
      if (isRecent || this.#isPaused(now)) return false;
      if (refuse === undefined) void this.refresh();
    }
    if (refuse) throw refuse();
    return this.#isAwaited();
  }

  /** False, at once, where too many wait for the fetch already. */
  async #isAwaited(): Promise<boolean> {
    if (this.#waiters >= this.#parts.limits.maxWaiters) return false;
    this.#waiters += 1;
    try {
      await this.#inFlight;
    } finally {
      this.#waiters -= 1;
    }
    return true;
  }

  /** After a failed fetch; a clock that was set back must not make the pause longer. */
  #isPaused(now: Instant): boolean {
    return now < this.#retryAt && this.#retryAt - now <= this.#parts.limits.maxBackoffMs;
  }

  #unreachable(): Problem {
    return unreachable(this.#fault ?? new IssuerFault('connection_failed', 'key set', 'no keys'));
  }

  #hintAbout({ kid, alg }: KeyRequest): string {
    if (kid === undefined) return `The issuer publishes no key for ${alg}.`;
    const seconds = Math.ceil(this.#parts.limits.cooldownMs / 1000);
    return `The issuer publishes no key with this kid for ${alg}; one that it published just now is seen within ${seconds} seconds.`;
  }
}

async function find(held: HeldKeys, { alg, kid }: KeyRequest): Promise<CandidateKeys> {
  const isAnnounced = held.algorithms.includes(alg);
  return { keys: isAnnounced ? await held.set.find(alg, kid) : [], algorithms: held.algorithms };
}

/** Each fetch imports its keys anew, so the same keys mean the same fetch. */
function isNews(found: CandidateKeys, failed: CandidateKeys | undefined): boolean {
  return found.keys.some((key) => !failed?.keys.includes(key));
}
