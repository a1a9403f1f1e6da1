// File log: the built-in log in a folder of this machine, opened, recovered, and published.

import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import { type Bytes, base64, fromUtf8, utf8 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { Signer } from '../key/signer.ts';
import { logIdOf } from '../log/checkpoint.ts';
import { Issuers } from '../log/issuers.ts';
import { LogDamage } from '../log/journal.ts';
import type { Log } from '../log/log.ts';
import { isKeyName } from '../log/note.ts';
import type { ObjectStore } from '../log/object-store.ts';
import { readPublished } from '../log/published.ts';
import { Publisher } from '../log/publisher.ts';
import { Reader } from '../log/reader.ts';
import { recoverTree } from '../log/recovery.ts';
import type { Schedule } from '../log/schedule.ts';
import { Sequencer, type SequencerLimits } from '../log/sequencer.ts';
import { isLogAlgorithm } from '../log/signature.ts';
import { type Disk, makeFolders, systemDisk } from './disk.ts';
import { FileJournal } from './file-journal.ts';
import { lockFolder } from './file-lock.ts';
import { FileStore } from './file-store.ts';

export interface FileLogOptions {
  /** Created when missing; the log's alone. */
  readonly folder: string;
  /** The log's name: its submission prefix without scheme and without trailing slash. Counts at the first start only. */
  readonly origin: string;
  /** P-256 or RSA. A log keeps its key for life. */
  readonly signer: Signer;
  /** Ed25519, for a second signature on checkpoints. */
  readonly cosigner?: Signer | undefined;
  readonly clock: Clock;
  /** Told of errors that clients only see as 503. */
  readonly onError?: (error: unknown) => void;
  readonly disk?: Disk;
  readonly schedule?: Schedule;
  readonly segmentSize?: number;
  readonly limits?: Partial<SequencerLimits>;
  /** Milliseconds from a commit to its publication; 100 unless set. */
  readonly publicationDelay?: number;
  /** Milliseconds after which an idle log signs a fresh tree head; 60,000 unless set. */
  readonly refresh?: number;
}

export interface FileLog {
  readonly log: Log;
  readonly reader: Reader;
  /** The origin as fixed at the first start. */
  readonly origin: string;
  readonly logId: Bytes;
  /** Whether an append has a chance now. */
  readonly ready: boolean;
  /** Publishes now what is durable now. */
  publish(): Promise<void>;
  /** Answers what was taken, publishes it, lets go of the folder. */
  close(): Promise<void>;
}

const sha256: Sha256 = (data) => hash('sha256', data, 'buffer') as Bytes;

const later: Schedule = (task, milliseconds) => {
  const timer = setTimeout(task, milliseconds);
  return () => clearTimeout(timer);
};

/**
 * Opens the log in a folder, or founds it. Throws a FolderInUse when another process has it, and a LogDamage when what is
 * stored contradicts itself, the key, or what was published.
 */
export async function openFileLog(options: FileLogOptions): Promise<FileLog> {
  const { folder, signer, cosigner, clock, disk = systemDisk, schedule = later } = options;
  const { onError = () => undefined } = options;
  if (!isLogAlgorithm(signer.algorithm))
    throw new TypeError('a log key is P-256 or RSA (RFC 6962 section 2.1.4)');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(folder);
  try {
    await makeFolders(disk, folder, ['journal']);
    await makeFolders(disk, folder, ['public']);
    const guard = new FileStore(folder, disk, 0o600);
    const store = new FileStore(`${folder}/public`, disk, 0o644);
    const logId = logIdOf(sha256, signer.publicKey);
    const origin = await settleIdentity(guard, options.origin, logId);
    const journal = new FileJournal({
      folder: `${folder}/journal`,
      disk,
      sha256,
      ...pick(options, 'segmentSize'),
    });
    const published = await readPublished(guard);
    const sequencer = await Sequencer.open({
      sha256,
      clock,
      schedule,
      signer,
      journal,
      issuers: new Issuers(sha256, store),
      recover: async () => recoverTree(sha256, store, journal, await readPublished(guard)),
      onCommit: () => publisher.notify(),
      onError,
      ...pick(options, 'limits'),
    });
    const publisher: Publisher = new Publisher(
      {
        sha256,
        clock,
        schedule,
        keys: { origin, signer, cosigner },
        store,
        guard,
        onError,
        ...(options.publicationDelay === undefined ? {} : { delay: options.publicationDelay }),
        ...pick(options, 'refresh'),
      },
      sequencer,
      published,
    );
    await publisher.publish();
    return {
      log: sequencer,
      reader: new Reader(sequencer, publisher, store),
      origin,
      logId,
      get ready() {
        return sequencer.ready;
      },
      publish: () => publisher.publish(),
      async close() {
        await sequencer.close();
        await publisher.close();
        await journal.close();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

function pick<T extends object, K extends keyof T>(from: T, key: K): Partial<Pick<T, K>> {
  return from[key] === undefined ? {} : ({ [key]: from[key] } as Pick<T, K>);
}

/** The origin of the first start, whatever the address is now; refuses another key. */
async function settleIdentity(store: ObjectStore, origin: string, logId: Bytes): Promise<string> {
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
