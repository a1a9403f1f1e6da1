// Log object: the one sequencer of a log, in a Durable Object; durable in its SQLite, public in R2.

import { DurableObject } from 'cloudflare:workers';
import { systemClock } from '../clock.ts';
import type { Bytes } from '../encoding/bytes.ts';
import type { PrecertEntry, Sct } from '../log/log.ts';
import { type OpenLog, openLog } from '../log/open-log.ts';
import { readPublished } from '../log/published.ts';
import { hashesAt, MAX_LEVEL, TILE_WIDTH } from '../log/tile.ts';
import { Problem } from '../problem.ts';
import { AlarmSchedule } from './alarm-schedule.ts';
import { BucketStore, checkBucket } from './bucket-store.ts';
import { settings } from './bundle.ts';
import { sha256 } from './crypto.ts';
import type { Environment } from './environment.ts';
import type { LogService, LogSnapshot } from './log-service.ts';
import { type Outcome, outcomeOf } from './problem-wire.ts';
import { reportError } from './report.ts';
import { signerOf } from './signer-choice.ts';
import { SqlJournal } from './sql-journal.ts';
import { SqlLeafIndex } from './sql-leaf-index.ts';
import { SqlObjects } from './sql-objects.ts';

/** Milliseconds from a commit to its publication: R2 takes one write of the checkpoint a second. */
const PUBLICATION_DELAY = 1000;
/** Milliseconds after which an alarm rings again where the work it began did not come to an end. */
const FALLBACK = 10_000;

/** An isolate has 128 MB, and the journal is read into it when the object wakes up. */
const LIMITS = { queue: 2048, unpublishedBytes: 2 ** 24 };

export class LogObject extends DurableObject<Environment> implements LogService {
  readonly #alarms: AlarmSchedule;
  readonly #leafIndex: SqlLeafIndex;
  /** One context serves all requests of an object, so that they may wait for the same opening. */
  #opening: Promise<OpenLog> | undefined;

  constructor(state: DurableObjectState, environment: Environment) {
    super(state, environment);
    this.#alarms = new AlarmSchedule(state.storage, () => Date.now(), onError);
    this.#leafIndex = new SqlLeafIndex(state.storage);
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
      const address = { level: 'data', index: Math.floor(from / TILE_WIDTH), width: to - from } as const;
      return from % TILE_WIDTH === 0 && to > from ? reader.tile(address) : undefined;
    });
  }

  candidates(hash: Bytes): Promise<Outcome<readonly number[]>> {
    return outcomeOf(async () => {
      await this.#log();
      return this.#leafIndex.candidates(hash);
    });
  }

  /** Publishes what is due. Where the object has just woken up, opening the log does. */
  override async alarm(): Promise<void> {
    this.#alarms.ring(FALLBACK);
    try {
      await this.#log();
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // told already; the alarm rings again
    }
  }

  #log(): Promise<OpenLog> {
    this.#opening ??= this.#open().catch((cause: unknown) => {
      this.#opening = undefined;
      onError(cause);
      throw new Problem('log_unavailable', { cause });
    });
    return this.#opening;
  }

  async #open(): Promise<OpenLog> {
    const { storage } = this.ctx;
    // Whatever happens in here, somebody comes back for what is durable and not yet public.
    this.#alarms.wakeBy(Date.now() + FALLBACK);
    const store = new BucketStore({
      bucket: this.env.LOG_BUCKET,
      now: () => Date.now(),
      wait: (milliseconds) => scheduler.wait(milliseconds),
    });
    const guard = new SqlObjects(storage);
    await checkBucket(store, await readPublished(guard));
    const [signer, cosigner] = await Promise.all([
      signerOf(this.env, 'LOG_KEY'),
      signerOf(this.env, 'NOTE_KEY'),
    ]);
    return openLog(
      {
        origin: `${settings.publicUrl.replace(/^https?:\/\//, '')}/log`,
        signer,
        cosigner,
        clock: systemClock,
        onError,
        limits: LIMITS,
        publicationDelay: PUBLICATION_DELAY,
      },
      {
        sha256,
        schedule: this.#alarms.schedule,
        journal: new SqlJournal(storage, () => this.#alarms.wakeBy(Date.now() + PUBLICATION_DELAY)),
        store,
        guard,
        leafIndex: this.#leafIndex,
        remembered: guard,
      },
    );
  }
}

function onError(error: unknown): void {
  reportError('log', error);
}
