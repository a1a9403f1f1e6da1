// Led log: a log in a bucket that several processes stand ready to write; one leads, the others wait until it is gone.

import type { Random } from '../encoding/random.ts';
import { logIdOf } from '../log/checkpoint.ts';
import { freeze, isFrozen } from '../log/frozen.ts';
import { LogDamage } from '../log/journal.ts';
import type { Log } from '../log/log.ts';
import {
  type LogOptions,
  type OpenLog,
  type RunningLog,
  type SharedLog,
  settleOrigin,
} from '../log/open-log.ts';
import { type EdgeSource, Reader } from '../log/reader.ts';
import { Problem } from '../problem.ts';
import { BucketError } from './bucket.ts';
import { Sealed } from './bucket-journal.ts';
import { BucketStore } from './bucket-store.ts';
import { Follower } from './follower.ts';
import { Lease } from './lease.ts';
import { Pauses } from './pauses.ts';
import { probeConditions } from './probe.ts';
import { PUBLIC, PublicObjects } from './public-objects.ts';
import { Fenced, Term } from './term.ts';
import { openTerm, type WrittenLog, type WrittenLogParts } from './written-log.ts';

export interface LedLogOptions extends LogOptions {
  /** Milliseconds between two signs of life of the leader, and between two looks of those that wait; 2,000 unless set. */
  readonly beat?: number | undefined;
}

export interface LedLogParts extends WrittenLogParts {
  readonly random: Random;
}

interface Leading extends WrittenLog {
  /** The signs of life, until the term is over. */
  readonly beating: Promise<void>;
}

const BEAT = 2000;
/** Beats missed until the leader is held to be gone. */
const MISSED = 3;
/** Attempts to open a log that its last leader may still be writing. */
const ATTEMPTS = 10;

export class LedLog implements OpenLog, SharedLog {
  readonly reader: Reader;
  readonly log: Log;
  readonly #options: LedLogOptions;
  readonly #parts: LedLogParts;
  readonly #lease: Lease;
  readonly #follower: Follower;
  readonly #beat: number;
  readonly #tasks: (() => Promise<void>)[] = [];
  readonly #closing = Promise.withResolvers<void>();
  /** Ended early when the log is closed or a term ends. */
  readonly #pauses: Pauses;
  #leading: Leading | undefined;
  /** Whether what has to run before appends has run in this term. */
  #prepared = false;
  #closed = false;
  /** Told when this process leads, when the log is over, and when it is closed. */
  readonly #waiters = new Set<() => void>();
  readonly #retirement = Promise.withResolvers<void>();
  readonly #ending = Promise.withResolvers<void>();
  #retiring = false;
  #over = false;
  #loop: Promise<void> = Promise.resolve();

  private constructor(options: LedLogOptions, parts: LedLogParts, origin: string) {
    const { sha256, bucket, leafIndex, random } = parts;
    const { signer, beat = BEAT } = options;
    this.#options = options;
    this.#parts = parts;
    this.#beat = beat;
    this.#pauses = new Pauses(parts.schedule);
    this.#lease = new Lease(bucket, random(16), MISSED * beat);
    this.log = {
      append: (entry) => {
        const log = this.#prepared ? this.#leading?.running.log : undefined;
        return log?.append(entry) ?? Promise.reject(this.#unavailable());
      },
    };
    const leading = (): RunningLog | undefined => this.#leading?.running;
    const identity = { origin, publicKey: signer.publicKey, logId: logIdOf(sha256, signer.publicKey) };
    const store = new PublicObjects(bucket);
    this.#follower = new Follower({ sha256, identity, store, leafIndex });
    const edge = (): EdgeSource['edge'] | undefined => (leading() ?? this.#follower.current)?.edge;
    const follower = this.#follower;
    this.reader = new Reader({
      sha256,
      identity,
      source: {
        edge: {
          data: (from, to) => edge()?.data(from, to),
          hashes: (level, from, to) => edge()?.hashes(level, from, to),
        },
      },
      publisher: {
        get current() {
          const reader = leading()?.reader;
          if (reader === undefined) return follower.current?.publication;
          return reader.opened ? reader.publication : undefined;
        },
        published: (index) => leading()?.reader.published(index) ?? Promise.reject(this.#unavailable()),
      },
      store,
      leafIndex,
    });
  }

  /**
   * Opens the log for writing, or begins to wait for the process that does. Throws an Error with a sentence when the store
   * cannot be used, and a LogDamage when what is stored contradicts itself, the key, or what was published.
   */
  static async open(options: LedLogOptions, parts: LedLogParts): Promise<LedLog> {
    const { bucket, sha256, random } = parts;
    await probeConditions(bucket, random);
    const guard = new BucketStore({ bucket, folder: '', term: new Term(random(16)), guarded: new Map() });
    const origin = await settleOrigin(guard, options.origin, logIdOf(sha256, options.signer.publicKey));
    const log = new LedLog(options, parts, origin);
    if (await log.#lease.claim()) {
      try {
        await log.#lead();
      } catch (error) {
        if (error instanceof Sealed) await log.#finish(error);
        await log.#lease.release().catch(() => undefined);
        if (!(error instanceof Sealed)) throw error;
      }
    } else await log.#follow();
    log.#loop = log.#run();
    return log;
  }

  /** Whether an append has a chance now: not while another process leads. */
  get ready(): boolean {
    return this.#prepared && this.#leading?.running.ready === true;
  }

  get size(): number {
    return this.#leading?.running.size ?? 0;
  }

  get shared(): SharedLog {
    return this;
  }

  get leads(): boolean {
    return this.#prepared && this.#leading !== undefined;
  }

  get over(): boolean {
    return this.#over;
  }

  get ended(): Promise<void> {
    return this.#ending.promise;
  }

  async settled(): Promise<void> {
    while (!this.leads && !this.#over && !this.#closed)
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
  }

  async retire(): Promise<void> {
    this.#retiring = true;
    this.#retirement.resolve();
    while (!this.#over && !this.#closed) await new Promise<void>((resolve) => this.#waiters.add(resolve));
    if (!this.#over) throw this.#unavailable();
  }

  onOpened(task: () => Promise<void>): void {
    this.#tasks.push(task);
    if (this.#leading !== undefined) void this.#prepare(this.#leading, [task]);
  }

  publish(): Promise<void> {
    return this.#leading?.running.publish() ?? Promise.reject(this.#unavailable());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.resolve();
    this.#pauses.end();
    this.#tell();
    await this.#loop;
    await this.#parts.leafIndex.close();
  }

  /** Until the log is closed or over: wait, lead, and wait again. */
  async #run(): Promise<void> {
    while (!this.#closed && !this.#over) {
      let pause = this.#beat;
      try {
        if (this.#leading === undefined && (await this.#lease.claim())) await this.#lead();
        if (this.#leading !== undefined) {
          await this.#serve(this.#leading);
          // The lease may still be its own.
          pause = this.#beat / 10;
        } else await this.#follow();
      } catch (error) {
        if (error instanceof Sealed)
          await this.#finish(error).catch((failure: unknown) => this.#report(failure));
        else this.#report(error);
        await this.#lease.release().catch(() => undefined);
      }
      if (!this.#closed && !this.#over) await this.#pauses.pause(pause);
    }
  }

  /** Sees what the leader has published, and whether that was the last of it. */
  async #follow(): Promise<void> {
    try {
      await this.#follower.look();
      if (await isFrozen(this.#bare(''))) await this.#end();
    } catch (error) {
      this.#report(error);
    }
  }

  /** Freezes a log that the process before has sealed and left so: all of it is published. */
  async #finish({ size }: Sealed): Promise<void> {
    const [store, guard] = [this.#bare(PUBLIC), this.#bare('')];
    if (!(await isFrozen(guard))) {
      await this.#follower.look();
      if (this.reader.size !== size)
        throw new LogDamage(`the log was ended after ${size} entries, and ${this.reader.size} are published`);
      await freeze(this.reader, { store, guard });
    }
    await this.#end();
  }

  /** Seals and freezes the log of a term that is closed, with all that it took published. */
  async #conclude({ running, journal, store, guard }: Leading): Promise<void> {
    if (running.reader.size !== running.size)
      throw new Error('the log has entries that could not be published; it is frozen once they are');
    await journal.seal();
    await freeze(running.reader, { store, guard });
    await this.#end();
  }

  async #end(): Promise<void> {
    await this.#follower.look();
    this.#over = true;
    this.#ending.resolve();
    this.#tell();
  }

  #tell(): void {
    for (const tell of this.#waiters) tell();
    this.#waiters.clear();
  }

  /** Of what is written without a term: what can have one content only. */
  #bare(folder: string): BucketStore {
    const { bucket, random } = this.#parts;
    return new BucketStore({ bucket, folder, term: new Term(random(16)), guarded: new Map() });
  }

  /** Begins a term. Throws a Fenced when another process has taken the lease. */
  async #lead(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const { published, error } = await this.#open();
      if (error === undefined) break;
      if (error instanceof Sealed) throw error;
      // The last leader may have gone on publishing while this one read, and that is no damage.
      const moved = async (): Promise<boolean> => (await this.#published()) !== published;
      if (error instanceof LogDamage && !(await moved())) throw error;
      if (error instanceof BucketError || attempt === ATTEMPTS || this.#closed) throw error;
      await this.#pauses.pause(this.#beat / 10);
      if (!(await this.#lease.beat())) throw new Fenced('another process has taken the lease');
    }
    if (this.#leading !== undefined) await this.#prepare(this.#leading, this.#tasks);
  }

  async #open(): Promise<{ readonly published: string | undefined; readonly error?: unknown }> {
    const term = new Term(this.#parts.random(16));
    // From the start: opening may take longer than the others wait.
    const beating = this.#keepLease(term);
    let published: string | undefined;
    try {
      published = await this.#published();
      const written = await openTerm(term, this.#options, this.#parts, (error) => this.#report(error));
      this.#leading = { ...written, beating };
      // After this term it may be older than what was served in it.
      this.#follower.forget();
      return { published };
    } catch (error) {
      term.end('it could not begin');
      this.#pauses.end();
      await beating;
      return { published, error };
    }
  }

  /** The record of what was published, as it stands in the bucket now. */
  async #published(): Promise<string | undefined> {
    return (await this.#parts.bucket.get('published'))?.etag;
  }

  async #prepare(leading: Leading, tasks: readonly (() => Promise<void>)[]): Promise<void> {
    this.#prepared = false;
    for (const task of tasks) await task().catch((error: unknown) => this.#report(error));
    if (this.#leading !== leading) return;
    this.#prepared = true;
    this.#tell();
  }

  /** Until the term is over, or the log is closed or to be ended. */
  async #serve(leading: Leading): Promise<void> {
    const { term, running, beating } = leading;
    await Promise.race([term.ended, this.#closing.promise, this.#retirement.promise]);
    if (term.reason !== undefined)
      this.#report(new Fenced(`this process leads the log no more: ${term.reason}`));
    this.#prepared = false;
    await running.close().catch((error: unknown) => this.#report(error));
    if (this.#retiring && !term.isOver)
      await this.#conclude(leading).catch((error: unknown) => this.#report(error));
    this.#leading = undefined;
    const over = term.isOver;
    term.end('the log was closed');
    this.#pauses.end();
    await beating;
    if (!over || this.#closed) await this.#lease.release().catch((error: unknown) => this.#report(error));
  }

  async #keepLease(term: Term): Promise<void> {
    while (!term.isOver) {
      await this.#pauses.pause(this.#beat);
      if (term.isOver) return;
      try {
        if (!(await this.#lease.beat())) term.end('another process has taken the lease');
      } catch (error) {
        this.#report(error);
      }
    }
  }

  #report(error: unknown): void {
    this.#options.onError?.(error);
  }

  #unavailable(): Problem {
    return new Problem(this.#closed ? 'draining' : 'log_unavailable');
  }
}
