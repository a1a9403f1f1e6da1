// Resubmission: an entry handed in again within the window gets the promise that it got before, at the same index and time.

import type { Clock } from '../clock.ts';
import { base64, concat } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { Signer } from '../key/signer.ts';
import { Problem } from '../problem.ts';
import { logIdOf } from './checkpoint.ts';
import { leafIndexExtension, leafIndexOf } from './entry.ts';
import type { Log, PrecertEntry, Sct } from './log.ts';
import { sctInput } from './sct.ts';
import { signDigitally } from './signature.ts';
import { TILE_WIDTH } from './tile.ts';

/** How long a client may go on asking for the same promise, milliseconds. */
export const RESUBMISSION_WINDOW = 15 * 60_000;

/** Entries remembered, a few dozen bytes each; above about 70 submissions a second the window shrinks. */
const MOST = 2 ** 16;

/** Where an entry stands in the log. */
export interface Logged {
  readonly issuerKeyHash: Uint8Array;
  readonly tbs: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly index: number;
}

/** What a log holds, a data tile at a time; a Reader is one. */
export interface LoggedEntries {
  readonly size: number;
  /** Entries from `start` up to `end` (exclusive), within one tile. */
  entries(start: number, end: number): Promise<readonly Logged[]>;
}

interface Place {
  readonly timestamp: number;
  readonly index: number;
}

export interface ResubmissionOptions {
  /** The built-in log, whose SCTs carry `leaf_index`. */
  readonly log: Log;
  /** The log's key: what is handed out again is signed anew over the same leaf. */
  readonly signer: Signer;
  readonly sha256: Sha256;
  readonly clock: Clock;
  readonly most?: number | undefined;
}

export class Resubmissions implements Log {
  readonly #options: ResubmissionOptions;
  /** Oldest first, as timestamps of a log never fall. */
  readonly #places = new Map<string, Place>();
  readonly #underWay = new Map<string, Promise<Sct>>();

  constructor(options: ResubmissionOptions) {
    this.#options = options;
  }

  /** Takes note of an entry that is in the log; oldest first. */
  remember({ issuerKeyHash, tbs, timestamp, index }: Logged): void {
    this.#put(this.#key(issuerKeyHash, tbs), { timestamp, index });
  }

  /** Takes note of the newest entries of a log that was opened again, as far as the window goes back. */
  async recall(logged: LoggedEntries): Promise<void> {
    const { clock, most = MOST } = this.#options;
    const horizon = clock.now() - RESUBMISSION_WINDOW;
    const found: Logged[] = [];
    for (let end = logged.size; end > 0 && found.length < most; end -= end % TILE_WIDTH || TILE_WIDTH) {
      const tile = (await logged.entries(end - (end % TILE_WIDTH || TILE_WIDTH), end)).toReversed();
      const recent = tile.filter(({ timestamp }) => timestamp >= horizon);
      found.push(...recent);
      if (recent.length < tile.length) break;
    }
    for (const entry of found.toReversed()) this.remember(entry);
  }

  append(entry: PrecertEntry): Promise<Sct> {
    const key = this.#key(entry.issuerKeyHash, entry.tbs);
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) return underWay;
    this.#forget();
    const place = this.#places.get(key);
    if (place !== undefined) return this.#promiseAgain(entry, place);
    const appended = this.#append(key, entry).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, appended);
    return appended;
  }

  async #append(key: string, entry: PrecertEntry): Promise<Sct> {
    const sct = await this.#options.log.append(entry);
    const index = leafIndexOf(sct.extensions);
    if (index !== undefined) this.#put(key, { timestamp: sct.timestamp, index });
    return sct;
  }

  /** The leaf is the one in the tree: its hash covers all that the key does. */
  async #promiseAgain(entry: PrecertEntry, { timestamp, index }: Place): Promise<Sct> {
    const { signer, sha256 } = this.#options;
    const promise = {
      logId: logIdOf(sha256, signer.publicKey),
      timestamp,
      extensions: leafIndexExtension(index),
    };
    try {
      return { ...promise, signature: await signDigitally(signer, sctInput(entry, promise)) };
    } catch (cause) {
      throw new Problem('log_unavailable', { cause });
    }
  }

  #key(issuerKeyHash: Uint8Array, tbs: Uint8Array): string {
    return base64(this.#options.sha256(concat(issuerKeyHash, tbs)));
  }

  #put(key: string, place: Place): void {
    const { most = MOST } = this.#options;
    this.#places.set(key, place);
    const [oldest] = this.#places.keys();
    if (this.#places.size > most && oldest !== undefined) this.#places.delete(oldest);
  }

  #forget(): void {
    const horizon = this.#options.clock.now() - RESUBMISSION_WINDOW;
    for (const [key, { timestamp }] of this.#places) {
      if (timestamp >= horizon) return;
      this.#places.delete(key);
    }
  }
}
