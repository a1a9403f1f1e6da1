// Sequencer: the one writer of a log; it orders entries, makes them durable, and only then signs.

import type { Clock } from '../clock.ts';
import type { Bytes } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { Signer } from '../key/signer.ts';
import { Problem } from '../problem.ts';
import { type Batch, makeBatch } from './batch.ts';
import { logIdOf } from './checkpoint.ts';
import type { Edge, LevelHash } from './edge.ts';
import { entrySize, leafIndexExtension, MAX_INDEX } from './entry.ts';
import type { Issuers } from './issuers.ts';
import type { Journal } from './journal.ts';
import type { Log, PrecertEntry, Sct } from './log.ts';
import type { Head, Recovered } from './recovery.ts';
import type { Schedule } from './schedule.ts';
import { MAX_CERTIFICATE, MAX_CHAIN, SEQUENCER_LIMITS, type SequencerLimits } from './sequencer-limits.ts';
import { signDigitally } from './signature.ts';
import { TILE_HEIGHT } from './tile.ts';

export interface SequencerOptions {
  readonly sha256: Sha256;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly signer: Signer;
  readonly journal: Journal;
  readonly issuers: Issuers;
  /** Reads the tree back from storage; used at the start and after a write of unknown outcome. */
  readonly recover: () => Promise<Recovered>;
  /** Told after each commit. */
  readonly onCommit: () => void;
  /** Whether what was taken waits too long for publication. */
  readonly overdue?: () => boolean;
  /** Told of each commit that came to be durable: milliseconds since its entries were taken up. */
  readonly onSequenced?: ((milliseconds: number) => void) | undefined;
  /** Told of what a client only sees as 503. */
  readonly onError: (error: unknown) => void;
  readonly limits?: Partial<SequencerLimits> | undefined;
}

interface Waiter {
  readonly entry: PrecertEntry;
  readonly resolve: (sct: Sct) => void;
  readonly reject: (problem: Problem) => void;
}

interface Prepared {
  readonly batch: Batch;
  readonly head: Head;
  readonly hashes: readonly LevelHash[];
}

/** Durable, but its waiters have no SCT yet. */
interface Committed {
  readonly batch: Batch;
  readonly waiters: readonly Waiter[];
}

export class Sequencer implements Log {
  readonly #options: SequencerOptions;
  readonly #limits: SequencerLimits;
  readonly #logId: Bytes;
  #head: Head;
  #edge: Edge;
  #queue: Waiter[] = [];
  /** The one run of commits under way, if any. */
  #running: Promise<void> | undefined;
  readonly #signing = new Set<Promise<void>>();
  /** 'lost' after a write of unknown outcome, until the storage has been read again. */
  #state: 'open' | 'lost' | 'closed' = 'open';
  #cancelRetry: (() => void) | undefined;

  private constructor(options: SequencerOptions, { head, edge }: Recovered) {
    this.#options = options;
    this.#limits = { ...SEQUENCER_LIMITS, ...options.limits };
    this.#logId = logIdOf(options.sha256, options.signer.publicKey);
    this.#head = head;
    this.#edge = edge;
  }

  /** Throws a LogDamage when the storage contradicts itself. */
  static async open(options: SequencerOptions): Promise<Sequencer> {
    return new Sequencer(options, await options.recover());
  }

  /** The newest durable state. */
  get head(): Head {
    return this.#head;
  }

  /** In step with `head`. */
  get edge(): Edge {
    return this.#edge;
  }

  /** Whether an append has a chance. */
  get ready(): boolean {
    return this.#state === 'open' && this.#options.overdue?.() !== true;
  }

  append(entry: PrecertEntry): Promise<Sct> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refuse(entry);
      if (refusal !== undefined) return reject(refusal);
      this.#queue.push({ entry, resolve, reject });
      this.#pump();
    });
  }

  /** Lets go of what full tiles of a tree of `size` leaves now hold. */
  async release(size: number): Promise<void> {
    this.#edge.trim(size);
    if (this.#state === 'open') await this.#options.journal.discard(size - (size % 256));
  }

  /** Takes nothing more; resolves when all that was taken is answered. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#cancelRetry?.();
    await this.#running;
    await Promise.all(this.#signing);
  }

  #refuse(entry: PrecertEntry): Problem | undefined {
    if (this.#state === 'closed') return new Problem('draining');
    if (this.#state === 'lost') return new Problem('log_unavailable');
    if (this.#options.overdue?.() === true)
      return new Problem('log_unavailable', {
        retryAfter: 1,
        cause: new Error('what was taken cannot be published: the disk may be full, or the store away'),
      });
    if (this.#queue.length >= this.#limits.queue || this.#edge.bytes > this.#limits.unpublishedBytes)
      return new Problem('log_unavailable', {
        retryAfter: 1,
        cause: new Error('the log has too much to do'),
      });
    if (entry.issuerKeyHash.length !== 32) throw new RangeError('issuerKeyHash is not a SHA-256');
    if (
      Math.max(entry.tbs.length, entry.precertificate.length) > MAX_CERTIFICATE ||
      entry.chain.length > MAX_CHAIN
    )
      return new Problem('request_too_large');
    return undefined;
  }

  /** No timer: while one batch is on its way to the disk the next one gathers. */
  #pump(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    let unsigned: Committed | undefined;
    await undefined; // what else is appended in this very moment comes along
    while (this.#queue.length > 0) {
      const commit = this.#commit(this.#take());
      // The batch before is signed while this one is being written.
      if (unsigned !== undefined) this.#signAll(unsigned);
      unsigned = await commit;
    }
    this.#running = undefined;
    if (unsigned !== undefined) this.#signAll(unsigned);
  }

  #take(): Waiter[] {
    let bytes = 0;
    let count = 0;
    for (const { entry } of this.#queue) {
      bytes += entrySize(entry);
      if (count > 0 && (bytes > this.#limits.batchBytes || count >= this.#limits.batchEntries)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** Undefined when the batch was refused; its waiters know. */
  async #commit(waiters: readonly Waiter[]): Promise<Committed | undefined> {
    const started = performance.now();
    let prepared: Prepared;
    try {
      const missing = this.#options.issuers.missing(waiters.map(({ entry }) => entry.chain));
      if (missing.size > 0) await this.#options.issuers.store(missing);
      prepared = this.#prepare(waiters.map(({ entry }) => entry));
    } catch (error) {
      this.#reject(waiters, error);
      return undefined;
    }
    const { batch, head, hashes } = prepared;
    try {
      await this.#options.journal.append({ first: batch.first, count: waiters.length, bytes: batch.bytes });
    } catch (error) {
      this.#reject(waiters, error);
      this.#lose();
      return undefined;
    }
    this.#head = head;
    this.#edge.push(
      batch.entries.map(({ tileLeaf }) => tileLeaf),
      hashes,
    );
    this.#options.onSequenced?.(performance.now() - started);
    this.#options.onCommit();
    return { batch, waiters };
  }

  /** Indexes, timestamp, leaves and root; nothing is written yet. */
  #prepare(entries: readonly PrecertEntry[]): Prepared {
    const { sha256, clock, issuers } = this.#options;
    // Never before an earlier entry, though the clock may have been set back.
    const now = clock.now();
    const timestamp = Math.max(now, this.#head.timestamp);
    if (timestamp - now > this.#limits.clockLag)
      throw new Error(`the clock is ${timestamp - now} ms behind the newest entry`);
    if (this.#head.size + entries.length > MAX_INDEX) throw new Error('the log is full');
    const submissions = entries.map((entry) => ({
      entry,
      fingerprints: entry.chain.map((certificate) => issuers.fingerprint(certificate)),
    }));
    const hashes: LevelHash[] = [];
    const { batch, frontier } = makeBatch(sha256, this.#head, submissions, timestamp, (height, _, hash) => {
      if (height % TILE_HEIGHT === 0) hashes.push({ level: height / TILE_HEIGHT, hash });
    });
    return { batch, head: { ...frontier, timestamp }, hashes };
  }

  #signAll({ batch, waiters }: Committed): void {
    for (const [i, { leaf }] of batch.entries.entries()) {
      const waiter = waiters[i];
      if (waiter !== undefined) this.#sign(waiter, leaf, batch.first + i, batch.timestamp);
    }
  }

  #sign({ resolve, reject }: Waiter, leaf: Uint8Array, index: number, timestamp: number): void {
    const done = (signature: Bytes): void =>
      resolve({ logId: this.#logId, timestamp, extensions: leafIndexExtension(index), signature });
    const failed = (cause: unknown): void => {
      this.#options.onError(cause);
      reject(new Problem('log_unavailable', { cause }));
    };
    try {
      const signature = signDigitally(this.#options.signer, leaf);
      if (signature instanceof Uint8Array) done(signature);
      else {
        const signing = signature.then(done, failed).finally(() => this.#signing.delete(signing));
        this.#signing.add(signing);
      }
    } catch (cause) {
      failed(cause);
    }
  }

  #reject(waiters: readonly Waiter[], cause: unknown): void {
    this.#options.onError(cause);
    for (const { reject } of waiters) reject(new Problem('log_unavailable', { cause }));
  }

  /** The journal may or may not hold the last batch: nothing may be signed before the storage has been read again. */
  #lose(): void {
    this.#reject(this.#queue.splice(0), new Error('an earlier write has an unknown outcome'));
    if (this.#state === 'closed') return;
    this.#state = 'lost';
    this.#cancelRetry = this.#options.schedule(() => void this.#regain(), this.#limits.retry);
  }

  async #regain(): Promise<void> {
    try {
      const { head, edge } = await this.#options.recover();
      if (this.#state !== 'lost') return;
      this.#head = head;
      this.#edge = edge;
      this.#state = 'open';
      this.#options.onCommit();
    } catch (error) {
      this.#options.onError(error);
      if (this.#state === 'lost')
        this.#cancelRetry = this.#options.schedule(() => void this.#regain(), this.#limits.retry);
    }
  }
}
