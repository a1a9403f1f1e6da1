// Open log: journal, store and keys put together into a log that runs.

import type { Clock } from '../clock.ts';
import { type Bytes, base64, fromUtf8, utf8 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { Signer } from '../key/signer.ts';
import { logIdOf } from './checkpoint.ts';
import { Indexer } from './indexer.ts';
import { Issuers } from './issuers.ts';
import { type Journal, LogDamage } from './journal.ts';
import type { LastTiles } from './last-tiles.ts';
import type { LeafIndex } from './leaf-index.ts';
import type { Log } from './log.ts';
import { HASH_SIZE } from './merkle.ts';
import { isKeyName } from './note.ts';
import type { ObjectStore } from './object-store.ts';
import { readPublished } from './published.ts';
import { Publisher } from './publisher.ts';
import { type EdgeSource, Reader } from './reader.ts';
import { recoverTree } from './recovery.ts';
import type { Schedule } from './schedule.ts';
import { Sequencer } from './sequencer.ts';
import type { SequencerLimits } from './sequencer-limits.ts';
import { isLogAlgorithm } from './signature.ts';
import { TILE_WIDTH, tilePath } from './tile.ts';
import type { WitnessedLog, Witnesses } from './witnesses.ts';

/** Told in milliseconds how long the log's own work takes. */
export interface LogTimings {
  /** Of each commit, from when its entries were taken up until they were durable. */
  sequenced(milliseconds: number): void;
  /** Of each publication, without the wait for witnesses. */
  published(milliseconds: number): void;
}

export interface LogOptions {
  /** The log's name: its submission prefix without scheme and without trailing slash. Counts at the first start only. */
  readonly origin: string;
  /** P-256 or RSA. A log keeps its key for life. */
  readonly signer: Signer;
  /** Ed25519, for a second signature on checkpoints. */
  readonly cosigner?: Signer | undefined;
  readonly clock: Clock;
  /** Told of errors that clients only see as 503. */
  readonly onError?: ((error: unknown) => void) | undefined;
  readonly limits?: Partial<SequencerLimits> | undefined;
  readonly timings?: LogTimings | undefined;
  /** Makes those who cosign checkpoints, each time that the log is opened; they are closed with it. */
  readonly witnesses?: (() => Witnesses) | undefined;
  /** Milliseconds from a commit to its publication; 250 unless set. */
  readonly publicationDelay?: number | undefined;
  /** Milliseconds after which an idle log signs a fresh tree head; 60,000 unless set. */
  readonly refresh?: number | undefined;
}

export interface LogParts {
  readonly sha256: Sha256;
  readonly schedule: Schedule;
  readonly journal: Journal;
  /** The public objects. */
  readonly store: ObjectStore;
  /** What only the log itself reads: who it is, and what it published. */
  readonly guard: ObjectStore;
  readonly leafIndex: LeafIndex;
  /** Where partial tiles are remembered, for stores in which reading hundreds of objects takes long. */
  readonly remembered?: ObjectStore | undefined;
  /** Where partial tiles are shown to the public, for stores that are read without this process. */
  readonly lastTiles?: LastTiles | undefined;
}

export interface OpenLog {
  readonly log: Log;
  readonly reader: Reader;
  /** Whether an append has a chance now. */
  readonly ready: boolean;
  /** Entries that are durable; `reader.size` of them are published. */
  readonly size: number;
  /** Publishes now what is durable now. */
  publish(): Promise<void>;
  /** Runs `task` each time before the log takes appends; absent where the log takes them from the start. */
  onOpened?(task: () => Promise<void>): void;
  /** Answers what was taken, publishes it, and stops. */
  close(): Promise<void>;
  /** Present where several processes stand ready to write the log. */
  readonly shared?: SharedLog;
}

/** What such a process knows of its turn. */
export interface SharedLog {
  /** Whether this process writes the log. */
  readonly leads: boolean;
  /** Whether the log has been frozen, by whichever process; it goes on being read here until it is closed. */
  readonly over: boolean;
  /** Resolves once it is over. */
  readonly ended: Promise<void>;
  /** Resolves once it is over or written by this process, or closed here. */
  settled(): Promise<void>;
  /**
   * Takes no more entries for good. Resolves once what was taken is answered and published and the log is frozen, by this
   * process if it leads, now or later; else by the one that does. Rejects when the log is closed here before.
   */
  retire(): Promise<void>;
}

/** A log of which one process is the sequencer, with the right edge that a Reader of another make may read from. */
export interface RunningLog extends OpenLog {
  readonly edge: EdgeSource['edge'];
}

/** Founds a log, or recovers it. Throws a LogDamage when what is stored contradicts itself, the key, or what was published. */
export async function openLog(options: LogOptions, parts: LogParts): Promise<RunningLog> {
  const { signer, cosigner, clock, timings, onError = () => undefined } = options;
  const { sha256, schedule, journal, store, guard, leafIndex, remembered, lastTiles } = parts;
  if (!isLogAlgorithm(signer.algorithm))
    throw new TypeError('a log key is P-256 or RSA (RFC 6962 section 2.1.4)');
  if (cosigner !== undefined && cosigner.algorithm !== 'ed25519')
    throw new TypeError("the key of a checkpoint's second signature is Ed25519");
  const logId = logIdOf(sha256, signer.publicKey);
  const origin = await settleOrigin(guard, options.origin, logId);
  const published = await readPublished(guard);
  const sequencer = await Sequencer.open({
    sha256,
    clock,
    schedule,
    signer,
    journal,
    issuers: new Issuers(sha256, store),
    recover: async () => recoverTree(sha256, store, journal, await readPublished(guard), remembered),
    onCommit: () => publisher.notify(),
    overdue: () => publisher.overdue,
    onSequenced: timings && ((milliseconds) => timings.sequenced(milliseconds)),
    onError,
    limits: options.limits,
  });
  // Left over from a tree that is no more: an older copy of the storage was put back.
  if (leafIndex.size > sequencer.head.size) await leafIndex.clear();
  const indexer = new Indexer(leafIndex, async (from, to) => {
    const near = sequencer.edge.hashes(0, from, to);
    if (near !== undefined) return near;
    const index = Math.floor(from / TILE_WIDTH);
    const tile = await store.get(tilePath({ level: 0, index, width: TILE_WIDTH }));
    if (tile === undefined) throw new LogDamage(`the tile of entry ${from} is missing`);
    return tile.subarray((from % TILE_WIDTH) * HASH_SIZE, (to - index * TILE_WIDTH) * HASH_SIZE);
  });
  const witnesses = options.witnesses?.();
  const publisher: Publisher = new Publisher(
    {
      sha256,
      clock,
      schedule,
      keys: { origin, signer, cosigner },
      store,
      guard,
      remembered,
      lastTiles,
      onError,
      take: witnesses && ((publication) => witnesses.take(publication, witnessed)),
      onPublished: timings && ((milliseconds) => timings.published(milliseconds)),
      index: (size) => indexer.follow(size),
      delay: options.publicationDelay,
      refresh: options.refresh,
    },
    sequencer,
    published,
  );
  const identity = { origin, publicKey: signer.publicKey, logId };
  const reader = new Reader({ sha256, identity, source: sequencer, publisher, store, leafIndex });
  const witnessed: WitnessedLog = {
    show: (publication) => publisher.show(publication),
    consistency: (first, second) => reader.consistency(first, second),
  };
  await publisher.publish();
  return {
    log: sequencer,
    reader,
    get ready() {
      return sequencer.ready;
    },
    get size() {
      return sequencer.head.size;
    },
    get edge() {
      return sequencer.edge;
    },
    publish: () => publisher.publish(),
    async close() {
      await sequencer.close();
      await witnesses?.close();
      await publisher.close();
      await journal.close();
      await leafIndex.close();
    },
  };
}

/** The origin of the first start, whatever the address is now; refuses another key. */
export async function settleOrigin(store: ObjectStore, origin: string, logId: Bytes): Promise<string> {
  const stored = await store.get('identity');
  if (stored !== undefined) {
    const [name, key, end] = fromUtf8(stored).split('\n');
    if (name === undefined || end !== '')
      throw new LogDamage('the record of who the log is (`identity`) is malformed');
    if (key !== base64(logId))
      throw new LogDamage(
        'the log key is not the one this log was founded with; a new key needs a new, empty folder',
      );
    return name;
  }
  if (!isKeyName(origin)) throw new TypeError('a log origin has neither spaces nor plus signs');
  await store.create('identity', utf8(`${origin}\n${base64(logId)}\n`));
  return origin;
}
