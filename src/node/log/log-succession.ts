// Log succession: the built-in logs of an instance: one takes entries, and those before it are frozen.

import { join } from 'node:path';
import { type Instant, instantOf } from '../../clock.ts';
import { type FrozenLog, freeze, isFrozen, openFrozenLog } from '../../log/frozen.ts';
import type { Log, PrecertEntry, Sct } from '../../log/log.ts';
import type { OpenLog } from '../../log/open-log.ts';
import type { Reader } from '../../log/reader.ts';
import { numberOf } from '../keys/generations.ts';
import { type LogGeneration, type LogInstance, partOf } from '../keys/log-instance.ts';
import { systemDisk } from '../system/disk.ts';
import { sha256 } from '../system/native-digest.ts';
import { type BuiltinLogOptions, type LogOpener, logOpener } from './builtin-log.ts';
import { FileLeafIndex } from './file-leaf-index.ts';
import { FileStore } from './file-store.ts';
import { treeMetrics } from './log-metrics.ts';

export interface RetiredLog extends FrozenLog {
  readonly part: string;
  readonly made: Instant | undefined;
}

/** How long the witnesses of a log may take over its final tree, in ms. */
const LAST_WITNESSES = 5_000;

export class LogSuccession implements Log {
  readonly #open: LogOpener;
  readonly #options: BuiltinLogOptions;
  #current: OpenLog;
  #generation: LogGeneration;
  #retired: readonly RetiredLog[] = [];
  /** Logs that take no more entries and are not frozen yet, by part: they go on being read. */
  readonly #closing = new Map<string, { readonly generation: LogGeneration; readonly reader: Reader }>();
  #following: Promise<void> = Promise.resolve();
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

  /** Opens the log that takes entries, and finishes and freezes those before it. */
  static async open(options: BuiltinLogOptions): Promise<LogSuccession> {
    const { instance, registry } = options;
    const open = logOpener(options);
    const generation = lastOf(instance);
    const succession = new LogSuccession(options, open, await open(instance, generation.part), generation);
    treeMetrics(registry, succession);
    try {
      for (const earlier of instance.logs.slice(0, -1)) await succession.#retire(earlier, instance);
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
   */
  follow(instance: LogInstance): Promise<void> {
    const next = this.#following.then(() => this.#follow(instance));
    this.#following = next.catch(() => undefined);
    return next;
  }

  async #follow(instance: LogInstance): Promise<void> {
    const generation = lastOf(instance);
    if (this.#closed || generation.part === this.#generation.part) return;
    const opened = await this.#open(instance, generation.part);
    const [before, earlier] = [this.#current, this.#generation];
    this.#closing.set(earlier.part, { generation: earlier, reader: before.reader });
    this.#current = opened;
    this.#generation = generation;
    await this.#finish(before);
    await this.#retire(earlier, instance, before);
    this.#closing.delete(earlier.part);
  }

  /** Gives the witnesses some time, and closes; all of it is published then. */
  async #finish(log: OpenLog): Promise<void> {
    const timer = Promise.withResolvers<void>();
    const timeout = setTimeout(timer.resolve, LAST_WITNESSES);
    try {
      await log.publish();
      if (log.size > 0) await Promise.race([log.reader.published(log.size - 1), timer.promise]);
    } finally {
      clearTimeout(timeout);
      await log.close();
    }
  }

  /** Freezes the log of a generation unless it is frozen, and reads it from then on. */
  async #retire(
    generation: LogGeneration,
    keys: Pick<LogInstance, 'keysOfLog'>,
    closed?: OpenLog,
  ): Promise<void> {
    const { part } = generation;
    const { store, guard, folder } = this.#placesOf(part);
    if (!(await isFrozen(guard))) {
      let log = closed;
      if (log === undefined) {
        log = await this.#open(await keys.keysOfLog(part), part);
        await this.#finish(log);
      }
      if (log.reader.size !== log.size)
        throw new Error(
          `the log in ${folder} has entries that could not be published; it is frozen at the next start`,
        );
      await freeze(log.reader, { store, guard });
    }
    const leafIndex = FileLeafIndex.open(join(folder, 'leaf-index'));
    const frozen = await openFrozenLog({ sha256, store, guard, leafIndex });
    this.#retired = [...this.#retired, { ...frozen, part, made: generation.made }];
  }

  #placesOf(part: string): { readonly folder: string; readonly store: FileStore; readonly guard: FileStore } {
    const folder = join(this.#options.instance.folder ?? '', part, 'tree');
    return {
      folder,
      store: new FileStore(join(folder, 'public'), systemDisk, 0o644),
      guard: new FileStore(folder, systemDisk, 0o600),
    };
  }

  /** Answers what was taken, publishes it, and stops. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#following;
    await this.#current.close();
    for (const log of this.#retired) await log.close();
  }
}

function lastOf({ logs }: LogInstance): LogGeneration {
  return logs.at(-1) ?? { part: partOf(logs) };
}

/** The last instant that an SCT of a frozen log bears. */
export function endOf({ treeHead }: Pick<RetiredLog, 'treeHead'>): Instant {
  return instantOf(treeHead.timestamp);
}
