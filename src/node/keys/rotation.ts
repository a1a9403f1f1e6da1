// Rotation: keys that were made beside those in force are taken up while the instance serves, each when its time has come.

import { Gauge, type Registry } from 'prom-client';
import type { Clock } from '../../clock.ts';
import type { ReloadCause } from '../settings/reload.ts';
import type { Logger } from '../system/logger.ts';
import type { Instance } from './instance.ts';

/** `time`: that of an activation, or of another try. */
export type RotationCause = ReloadCause | 'time';

export interface RotationOptions {
  /** What the instance began with. */
  readonly running: Instance;
  /** Reads the data folder again. Rejects with an Error with a sentence. */
  readonly open: (before: Instance) => Promise<Instance>;
  /** Puts an instance in force from the next request on; may rest on what is under way. */
  readonly adopt: (instance: Instance, cause: RotationCause) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
}

/** A timer that is set for longer than 24 days goes off at once. */
const LONGEST_WAIT = 3_600_000;
/** Milliseconds until what failed is tried again: the first, which doubles with each failure in a row, and the longest. */
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 30_000;

export class Rotation {
  readonly #options: RotationOptions;
  readonly #success: Gauge;
  #instance: Instance;
  #running: Promise<boolean> = Promise.resolve(true);
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: RotationOptions) {
    this.#options = options;
    this.#instance = options.running;
    this.#success = new Gauge({
      registers: [options.registry],
      name: 'mayfly_rotation_last_success',
      help: '1 when the keys in force are those that the data folder names, 0 when they could not be taken up.',
      aggregator: 'min',
    });
    this.#success.set(1);
    this.#plan();
  }

  /** What is in force. */
  get instance(): Instance {
    return this.#instance;
  }

  /**
   * Keys that cannot be used leave CA and timestamps as they are, and a log that cannot be opened leaves entries with the one
   * before; it is tried again. Never rejects. Resolves whether all that the folder names is in force.
   */
  run(cause: RotationCause): Promise<boolean> {
    this.#running = this.#running.then(() => this.#run(cause));
    return this.#running;
  }

  async #run(cause: RotationCause): Promise<boolean> {
    const { open, adopt, logger } = this.#options;
    if (this.#closed) return false;
    try {
      const before = this.#instance;
      const next = await open(before);
      this.#instance = next;
      await adopt(next, cause);
      if (factsOf(next) !== factsOf(before)) {
        for (const warning of next.warnings) logger.warn(warning);
        logger.info({ cause, ...JSON.parse(factsOf(next)) }, 'keys and trust documents are others now');
      }
      this.#success.set(1);
      this.#failures = 0;
      this.#plan();
      return true;
    } catch (err) {
      this.#success.set(0);
      logger.error(
        { cause, err },
        'the keys of the data folder cannot be taken up; those before stay in force',
      );
      this.#plan(Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** this.#failures++));
      return false;
    }
  }

  #plan(atLeast = 0): void {
    clearTimeout(this.#timer);
    const { nextActivation } = this.#instance;
    if (this.#closed || (nextActivation === undefined && atLeast === 0)) return;
    const until = nextActivation === undefined ? 0 : nextActivation - this.#options.clock.now();
    this.#timer = setTimeout(() => void this.run('time'), Math.min(Math.max(until, atLeast), LONGEST_WAIT));
    this.#timer.unref();
  }

  /** Finishes what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }
}

/** For people, and to tell whether anything changed. */
function factsOf({ parts, logs, pendingLog, trusted, nextActivation }: Instance): string {
  const ends = (chains: Instance['trusted']['authorities']): (number | null)[] =>
    chains.map(({ retired }) => retired ?? null);
  return JSON.stringify({
    ca: parts.ca,
    timestamp: parts.timestamp,
    log: logs.at(-1)?.part,
    nextLog: pendingLog?.part,
    trustedUntil: { ca: ends(trusted.authorities), timestamp: ends(trusted.timestamps) },
    nextActivation: nextActivation === undefined ? undefined : new Date(nextActivation).toISOString(),
  });
}
