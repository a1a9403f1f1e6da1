// Log succession: the built-in logs of an instance: one takes entries, and those before it are frozen.

import { type Instant, instantOf } from '../../clock.ts';
import { type FrozenLog, frozenKey, isFrozen, openFrozenLog } from '../../log/frozen.ts';
import type { Log, PrecertEntry, Sct } from '../../log/log.ts';
import type { OpenLog, SharedLog } from '../../log/open-log.ts';
import type { Reader } from '../../log/reader.ts';
import { GENERATIONS_FILE, numberOf } from '../keys/generations.ts';
import { type LogGeneration, type LogInstance, partOf } from '../keys/log-instance.ts';
import { sha256 } from '../system/native-digest.ts';
import { type BuiltinLogOptions, type LogOpener, logOpener } from './builtin-log.ts';
import { treeMetrics } from './log-metrics.ts';
import { placeOf } from './log-place.ts';

export interface RetiredLog extends FrozenLog {
  readonly part: string;
  readonly made: Instant | undefined;
}

/** How long the witnesses of a log may take over its final tree, in ms. */
const LAST_WITNESSES = 5_000;
/** Longer than a leader of a log in a bucket that is gone is waited for, in ms. */
const LAPSE = 10_000;
/** Until a log that could not be followed is tried again, in ms. */
const RETRY = 5_000;

export class LogSuccession implements Log {
  readonly #open: LogOpener;
  readonly #options: BuiltinLogOptions;
  #current: OpenLog;
  #generation: LogGeneration;
  #retired: readonly RetiredLog[] = [];
  /** Logs that take no more entries and are not frozen yet, by part: they go on being read. */
  readonly #closing = new Map<string, { readonly generation: LogGeneration; readonly reader: Reader }>();
  #following: Promise<void> = Promise.resolve();
  /** What is to be followed once it is this process's turn. */
  #newest: LogInstance | undefined;
  #waiting = false;
  /** Of logs that several processes write. */
  readonly #retiring = new Set<Promise<void>>();
  readonly #stopping = Promise.withResolvers<void>();
  #closed = false;

  private constructor(
    options: BuiltinLogOptions,
    open: LogOpener,
    current: OpenLog,
    generation: LogGeneration,
  ) {
    this.#options = options;
    this.#open = open;
    this.#current = current;
    this.#generation = generation;
  }

  /**
   * Opens the log that takes entries, and finishes and freezes those before it. Where other processes may be writing one of
   * those still, it is the one to begin with, and the newest follows as it does while an instance runs.
   */
  static async open(options: BuiltinLogOptions): Promise<LogSuccession> {
    const { instance, registry } = options;
    const open = logOpener(options);
    const newest = lastOf(instance);
    const generation = (await firstShared(options)) ?? newest;
    const keys = generation === newest ? instance : await instance.keysOfLog(generation.part);
    const succession = new LogSuccession(options, open, await open(keys, generation.part), generation);
    treeMetrics(registry, succession);
    try {
      const before = instance.logs.findIndex(({ part }) => part === generation.part);
      for (const earlier of instance.logs.slice(0, Math.max(0, before)))
        await succession.#retire(earlier, instance);
      succession.#watch(succession.#current);
      await succession.follow(instance);
    } catch (error) {
      await succession.close();
      throw error;
    }
    return succession;
  }

  append(entry: PrecertEntry): Promise<Sct> {
    return this.#current.log.append(entry);
  }

  get reader(): Reader {
    return this.#current.reader;
  }

  get ready(): boolean {
    return this.#current.ready;
  }

  /** As OpenLog.size, of the log that takes entries. */
  get size(): number {
    return this.#current.size;
  }

  /** When the log that takes entries was made; undefined for the first. */
  get made(): Instant | undefined {
    return this.#generation.made;
  }

  /** The number of the log that takes entries; 1 for the first. */
  get number(): number {
    return numberOf(this.#generation.part);
  }

  /** Oldest first. */
  get retired(): readonly RetiredLog[] {
    return this.#retired;
  }

  /** Those that are answering what they have taken; they are frozen in a moment. */
  get closing(): readonly { readonly generation: LogGeneration; readonly reader: Reader }[] {
    return [...this.#closing.values()];
  }

  /** By number; undefined where there is no such log. */
  readerOf(number: number): Reader | undefined {
    if (number === this.number) return this.reader;
    for (const { generation, reader } of this.closing)
      if (numberOf(generation.part) === number) return reader;
    return this.#retired.find(({ part }) => numberOf(part) === number)?.reader;
  }

  /**
   * Takes entries in the newest log of `instance` from the next one on, answers what the log before has taken, and
   * freezes that. Rejects, and changes nothing, when the newest cannot be opened; what cannot be frozen now is at the next start.
   * Where another process writes the log before, that one goes first, and this one when it has frozen it, or is gone.
   */
  follow(instance: LogInstance): Promise<void> {
    this.#newest = instance;
    const next = this.#following.then(() => this.#follow(instance));
    this.#following = next.catch(() => undefined);
    return next;
  }

  async #follow(instance: LogInstance): Promise<void> {
    const generation = lastOf(instance);
    if (this.#closed || generation.part === this.#generation.part) return;
    const { shared } = this.#current;
    if (shared !== undefined && !shared.leads && !shared.over) return this.#followLater(shared);
    const opened = await this.#open(instance, generation.part);
    // Its last leader may be gone without a word, or it is another process that goes on with it.
    if (shared?.leads === true) await this.#within(opened.shared?.settled(), LAPSE);
    const [before, earlier] = [this.#current, this.#generation];
    this.#closing.set(earlier.part, { generation: earlier, reader: before.reader });
    this.#current = opened;
    this.#generation = generation;
    if (shared === undefined) {
      await this.#finish(before);
      await this.#retire(earlier, instance, before);
      this.#closing.delete(earlier.part);
    } else {
      this.#watch(opened);
      const retiring = this.#retireShared(before, earlier, shared);
      this.#retiring.add(retiring);
      void retiring.finally(() => this.#retiring.delete(retiring));
    }
  }

  /** Follows when this process leads the log that takes entries now, or when that is over. */
  #followLater(shared: SharedLog): void {
    if (this.#waiting) return;
    this.#waiting = true;
    const goOn = async (): Promise<void> => {
      await shared.settled();
      this.#waiting = false;
      if (!this.#closed && this.#newest !== undefined) await this.follow(this.#newest);
    };
    goOn().catch((error: unknown) => {
      this.#report(error);
      if (this.#closed) return;
      setTimeout(() => this.#newest && this.#followLater(shared), RETRY).unref();
    });
  }

  /** Ends with the log frozen, or closed as the process ends: then it is frozen at the next start, or by another process. */
  async #retireShared(log: OpenLog, generation: LogGeneration, shared: SharedLog): Promise<void> {
    try {
      if (shared.leads) await this.#show(log).catch((error: unknown) => this.#report(error));
      await Promise.race([shared.retire(), this.#stopping.promise]);
    } catch (error) {
      this.#report(error);
    }
    try {
      await log.close();
      if (shared.over) {
        await placeOf(this.#options, generation.part).freeze(log.reader);
        if (!this.#closed) await this.#read(generation);
      }
    } catch (error) {
      this.#report(error);
    }
    this.#closing.delete(generation.part);
  }

  /** Another process may end a log whose successor nobody has told this one of. */
  #watch({ shared }: OpenLog): void {
    void shared?.ended.then(() => {
      const next = this.#newest && lastOf(this.#newest);
      if (!this.#closed && this.#current.shared === shared && next?.part === this.#generation.part)
        this.#report(
          new Error(
            `the log was ended by another process, and the next is not in this data folder: bring its folder and ${GENERATIONS_FILE} here from there`,
          ),
        );
    });
  }

  #report(err: unknown): void {
    this.#options.logger.error({ err }, 'log');
  }

  /** Gives the witnesses some time, and closes; all of it is published then. */
  async #finish(log: OpenLog): Promise<void> {
    try {
      await this.#show(log);
    } finally {
      await log.close();
    }
  }

  async #show(log: OpenLog): Promise<void> {
    await log.publish();
    if (log.size > 0) await this.#within(log.reader.published(log.size - 1), LAST_WITNESSES);
  }

  /** Resolves with `work`, or when that takes longer than so many milliseconds. */
  async #within(work: Promise<void> | undefined, milliseconds: number): Promise<void> {
    const timer = Promise.withResolvers<void>();
    const timeout = setTimeout(timer.resolve, milliseconds);
    try {
      await Promise.race([work, timer.promise]);
    } finally {
      clearTimeout(timeout);
    }
  }

  /** Freezes the log of a generation unless it is frozen, and reads it from then on. */
  async #retire(
    generation: LogGeneration,
    keys: Pick<LogInstance, 'keysOfLog'>,
    closed?: OpenLog,
  ): Promise<void> {
    const { part } = generation;
    const place = placeOf(this.#options, part);
    if (!(await isFrozen(place.guard))) {
      let log = closed;
      if (log === undefined) {
        log = await this.#open(await keys.keysOfLog(part), part);
        await this.#finish(log);
      }
      if (log.reader.size !== log.size)
        throw new Error(
          `the log in ${place.name} has entries that could not be published; it is frozen at the next start`,
        );
      await place.freeze(log.reader);
    }
    await this.#read(generation);
  }

  /** Reads a log that is frozen. */
  async #read({ part, made }: LogGeneration): Promise<void> {
    const place = placeOf(this.#options, part);
    const { store, guard } = place;
    const publicKey = await frozenKey(guard);
    if (publicKey === undefined) throw new Error(`the log in ${place.name} is not frozen`);
    const frozen = await openFrozenLog({ sha256, store, guard, leafIndex: place.leafIndex(publicKey) });
    this.#retired = [...this.#retired, { ...frozen, part, made }];
  }

  /** Answers what was taken, publishes it, and stops. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopping.resolve();
    await this.#following;
    await Promise.allSettled(this.#retiring);
    await this.#current.close();
    for (const log of this.#retired) await log.close();
  }
}

/** The first log that is not frozen, where others may write it; undefined where nobody else does. Throws an Error where all are frozen. */
async function firstShared(options: BuiltinLogOptions): Promise<LogGeneration | undefined> {
  const { logs } = options.instance;
  for (const generation of logs) {
    const { shared, guard } = placeOf(options, generation.part);
    if (!shared) return undefined;
    if (!(await isFrozen(guard))) return generation;
  }
  const { name } = placeOf(options, partOf(logs));
  throw new Error(
    `the log in ${name} was retired and takes no more entries: restore ${GENERATIONS_FILE} from a newer backup`,
  );
}

function lastOf({ logs }: LogInstance): LogGeneration {
  return logs.at(-1) ?? { part: partOf(logs) };
}

/** The last instant that an SCT of a frozen log bears. */
export function endOf({ treeHead }: Pick<RetiredLog, 'treeHead'>): Instant {
  return instantOf(treeHead.timestamp);
}
