// Durable log: the one sequencer of a log as its Durable Object runs it: durable in SQLite, public in R2, woken by alarms.

import { type Clock, systemClock } from '../clock.ts';
import type { Bytes } from '../encoding/bytes.ts';
import type { Signer } from '../key/signer.ts';
import type { PrecertEntry, Sct } from '../log/log.ts';
import { type OpenLog, openLog } from '../log/open-log.ts';
import { readPublished } from '../log/published.ts';
import type { Schedule } from '../log/schedule.ts';
import { hashesAt, MAX_LEVEL, TILE_WIDTH } from '../log/tile.ts';
import type { Witnesses } from '../log/witnesses.ts';
import { Problem } from '../problem.ts';
import { type Outcome, outcomeOf } from '../problem-wire.ts';
import { AlarmSchedule, type AlarmStorage } from './alarm-schedule.ts';
import { type Bucket, BucketStore, checkBucket } from './bucket-store.ts';
import { sha256 } from './crypto.ts';
import type { LogService, LogSnapshot } from './log-service.ts';
import type { SqlDatabase } from './sql.ts';
import { SqlJournal } from './sql-journal.ts';
import { SqlLeafIndex } from './sql-leaf-index.ts';
import { SqlObjects } from './sql-objects.ts';

/** Milliseconds from a commit to its publication: R2 takes one write of the checkpoint a second. */
const PUBLICATION_DELAY = 1000;
/** Milliseconds after which an alarm rings again where the work it began did not come to an end. */
const FALLBACK = 10_000;

/** An isolate has 128 MB, and the journal is read into it when the object wakes up. */
const LIMITS = { queue: 2048, unpublishedBytes: 2 ** 25 };

export interface DurableLogOptions {
  readonly storage: SqlDatabase & AlarmStorage;
  readonly bucket: Bucket;
  /** Counts at the first start only. */
  readonly origin: string;
  /** Asked when the log opens. */
  readonly keys: () => Promise<{ readonly signer: Signer; readonly cosigner: Signer }>;
  readonly wait: (milliseconds: number) => Promise<void>;
  /** Makes those who cosign checkpoints, each time that the log opens. */
  readonly witnesses?: ((schedule: Schedule) => Witnesses) | undefined;
  /** Told of errors that clients only see as 503. */
  readonly onError: (error: unknown) => void;
  readonly clock?: Clock;
}

export class DurableLog implements LogService {
  readonly #options: DurableLogOptions;
  readonly #clock: Clock;
  readonly #alarms: AlarmSchedule;
  readonly #leafIndex: SqlLeafIndex;
  /** One context serves all requests of an object, so that they may wait for the same opening. */
  #opening: Promise<OpenLog> | undefined;

  constructor(options: DurableLogOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#alarms = new AlarmSchedule(options.storage, () => this.#clock.now(), options.onError);
    this.#leafIndex = new SqlLeafIndex(options.storage);
  }

  append(entry: PrecertEntry): Promise<Outcome<Sct>> {
    return outcomeOf(async () => (await this.#log()).log.append(entry));
  }

  snapshot(): Promise<Outcome<LogSnapshot>> {
    return outcomeOf(async () => {
      const { reader } = await this.#log();
      const { publication, identity } = reader;
      const { size } = publication.treeHead;
      const hashes: Bytes[] = [];
      for (let level = 0; level <= MAX_LEVEL; level++) {
        const count = hashesAt(level, size);
        const width = count % TILE_WIDTH;
        const index = Math.floor(count / TILE_WIDTH);
        const tile = width === 0 ? undefined : await reader.tile({ level, index, width });
        hashes.push(tile ?? new Uint8Array());
      }
      return { origin: identity.origin, publication, hashes, indexed: this.#leafIndex.size };
    });
  }

  edge(from: number, to: number): Promise<Outcome<Bytes | undefined>> {
    return outcomeOf(async () => {
      const { reader } = await this.#log();
      if (from % TILE_WIDTH !== 0 || to <= from || to > from + TILE_WIDTH) return undefined;
      return reader.tile({ level: 'data', index: from / TILE_WIDTH, width: to - from });
    });
  }

  candidates(hash: Bytes): Promise<Outcome<readonly number[]>> {
    return outcomeOf(async () => {
      await this.#log();
      return this.#leafIndex.candidates(hash);
    });
  }

  /** The alarm rang: publishes what is due. Where the object has just woken up, opening the log does. Never rejects. */
  async alarm(): Promise<void> {
    this.#alarms.ring(FALLBACK);
    await this.#log().catch(() => undefined); // told already, and the alarm rings again
  }

  #log(): Promise<OpenLog> {
    this.#opening ??= this.#open().catch((cause: unknown) => {
      this.#opening = undefined;
      this.#options.onError(cause);
      throw new Problem('log_unavailable', { cause });
    });
    return this.#opening;
  }

  async #open(): Promise<OpenLog> {
    const { storage, bucket, origin, keys, wait, witnesses, onError } = this.#options;
    const { schedule } = this.#alarms;
    const clock = this.#clock;
    // Whatever happens in here, somebody comes back for what is durable and not yet public.
    this.#alarms.fallBack(clock.now() + FALLBACK);
    const store = new BucketStore({ bucket, now: () => clock.now(), wait });
    const guard = new SqlObjects(storage);
    await checkBucket(store, await readPublished(guard));
    const journal = new SqlJournal(storage, () => this.#alarms.wakeBy(clock.now() + PUBLICATION_DELAY));
    return openLog(
      {
        ...(await keys()),
        origin,
        clock,
        onError,
        limits: LIMITS,
        publicationDelay: PUBLICATION_DELAY,
        witnesses: witnesses && (() => witnesses(schedule)),
      },
      {
        sha256,
        schedule,
        journal,
        store,
        guard,
        leafIndex: this.#leafIndex,
        remembered: guard,
      },
    );
  }
}
