// Fail-over: several logs as one; each entry goes to the first that takes it, so that there is exactly one SCT.

import { Problem } from '../problem.ts';
import type { Log, PrecertEntry, Sct } from './log.ts';
import { RemoteLogError } from './remote.ts';

/** Failures in a row after which a log is left alone. */
const TOLERATED = 3;
/** Milliseconds for which it is left alone at first, and at most; doubled each time that it has not come back. */
const FIRST_REST = 2_000;
const LONGEST_REST = 60_000;

export interface Member {
  /** For people: its URL. */
  readonly name: string;
  readonly log: Log;
}

export interface FailoverOptions {
  /** In order of preference; at least one. */
  readonly members: readonly Member[];
  /** Milliseconds from any start; never goes back. */
  readonly monotonic: () => number;
  /** Told when a log is left alone, with why, and when it is back, without. */
  readonly onChange?: ((name: string, failure: unknown) => void) | undefined;
}

export class FailoverLog implements Log {
  readonly #breakers: readonly Breaker[];

  constructor({ members, monotonic, onChange = () => undefined }: FailoverOptions) {
    this.#breakers = members.map((member) => new Breaker(member, monotonic, onChange));
  }

  /** Rejects with Problem `log_unavailable` when every log failed or is being left alone. */
  async append(entry: PrecertEntry): Promise<Sct> {
    let failure: unknown;
    for (const breaker of this.#breakers) {
      if (!breaker.admits()) continue;
      try {
        return await breaker.append(entry);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        failure = error.cause;
      }
    }
    const rest = Math.min(...this.#breakers.map((breaker) => breaker.rest));
    throw new Problem('log_unavailable', {
      cause: failure ?? new Error('every log has failed lately and is left alone for a while'),
      retryAfter: Math.max(1, Math.ceil(rest / 1000)),
    });
  }
}

/** Circuit breaker: what fails again and again is not asked for a while; then one entry tries it for all. */
class Breaker {
  readonly #member: Member;
  readonly #monotonic: () => number;
  readonly #onChange: (name: string, failure: unknown) => void;
  #failures = 0;
  #rest = FIRST_REST;
  /** When it may be asked again; undefined while all is well. */
  #until: number | undefined;
  #trying = false;

  constructor(member: Member, monotonic: () => number, onChange: (name: string, failure: unknown) => void) {
    this.#member = member;
    this.#monotonic = monotonic;
    this.#onChange = onChange;
  }

  /** Milliseconds until it may be asked again. */
  get rest(): number {
    return Math.max(0, (this.#until ?? 0) - this.#monotonic());
  }

  admits(): boolean {
    return this.#until === undefined || (this.rest === 0 && !this.#trying);
  }

  async append(entry: PrecertEntry): Promise<Sct> {
    const trial = this.#until !== undefined;
    if (trial) this.#trying = true;
    try {
      const sct = await this.#member.log.append(entry);
      this.#succeed();
      return sct;
    } catch (error) {
      // Else a few odd entries would take the log from everybody.
      if (!refusesEntry(error)) this.#fail(error, trial);
      throw error;
    } finally {
      if (trial) this.#trying = false;
    }
  }

  #succeed(): void {
    const back = this.#until !== undefined;
    this.#failures = 0;
    this.#rest = FIRST_REST;
    this.#until = undefined;
    if (back) this.#onChange(this.#member.name, undefined);
  }

  #fail(error: unknown, trial: boolean): void {
    this.#failures += 1;
    // Entries that were under way when it was first left alone add nothing.
    if (this.#failures < TOLERATED || (this.#until !== undefined && !trial)) return;
    if (trial) this.#rest = Math.min(2 * this.#rest, LONGEST_REST);
    else this.#onChange(this.#member.name, error);
    this.#until = this.#monotonic() + this.#rest;
  }
}

function refusesEntry(error: unknown): boolean {
  return (
    error instanceof Problem && error.cause instanceof RemoteLogError && error.cause.code === 'entry_refused'
  );
}
