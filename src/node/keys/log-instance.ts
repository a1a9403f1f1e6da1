// Log instance: the keys that a log runs with, from a data folder or from memory alone.

import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Instant } from '../../clock.ts';
import type { Bytes } from '../../encoding/bytes.ts';
import type { Random } from '../../encoding/random.ts';
import type { Signer } from '../../key/signer.ts';
import { FINAL_KEY } from '../../log/frozen.ts';
import { nativeSigner } from '../system/native-signer.ts';
import {
  codeOf,
  type DataFolder,
  InstanceError,
  type InstanceKind,
  openDataFolder,
  permissionWarning,
  providePart,
} from './data-folder.ts';
import { currentAt, FIRST, type Generations, readGenerations } from './generations.ts';
import { collect, type OwnKeys, ownKeys, requireDistinct } from './instance-key.ts';
import { writePrivateKey } from './key-file.ts';
import { makeEcdsaKey, makeEd25519Key } from './new-ca.ts';

export interface LogKeys {
  /** ECDSA P-256: signs SCTs and tree heads. */
  readonly logSigner: Signer;
  /** Ed25519: cosigns checkpoints. */
  readonly noteSigner: Signer;
}

/** One log of those that an instance has had. */
export interface LogGeneration {
  /** Folder of its keys and its tree inside the data folder. */
  readonly part: string;
  /** Absent for the first, which is as old as the instance. */
  readonly made?: Instant | undefined;
  /** Nothing that it signed later is to be trusted. */
  readonly distrusted?: Instant | undefined;
}

/** A log that is made and takes no entries yet. */
export interface PendingLog extends LogGeneration {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes;
}

/** What a log needs. */
export interface LogInstance extends LogKeys {
  readonly pendingLog?: PendingLog | undefined;
  /** Absolute path of the data folder; undefined when the instance is in memory alone. */
  readonly folder?: string;
  /** Up to the one that takes entries, oldest first. */
  readonly logs: readonly LogGeneration[];
  /** The keys of an earlier log, which may have been put away. Throws InstanceError. */
  keysOfLog(part: string): Promise<LogKeys>;
  /** Sentences for the operator about what works and should not stay as it is. */
  readonly warnings: readonly string[];
}

export interface LogInstanceOptions {
  readonly folder: string;
  readonly kind: InstanceKind;
  readonly clock: Clock;
  readonly random: Random;
  /** Encrypts the keys that are made now, and decrypts those that are encrypted. */
  readonly passphrase?: string;
}

/** The log keys of a data folder, made on the first start, and nothing else of it. Throws InstanceError. */
export function openLogInstance(options: LogInstanceOptions): Promise<LogInstance> {
  return openFolder(options, async (folder) => {
    await makeLogPart(folder, options);
    const warnings = await collect([permissionWarning(folder.path)]);
    const own = ownKeys(folder, options, warnings);
    const logs = logsOf(await readGenerations(folder.path), options.clock.now(), folder.path);
    const { logSigner, noteSigner } = await loadLogKeys(own, partOf(logs));
    requireDistinct([logSigner, noteSigner]);
    return {
      logSigner,
      noteSigner,
      folder: folder.path,
      logs,
      keysOfLog: (part) => loadLogKeys(own, part),
      warnings,
    };
  });
}

/** Opens a data folder for `use`. Throws InstanceError. */
export async function openFolder<T>(
  options: LogInstanceOptions,
  use: (folder: DataFolder) => Promise<T>,
): Promise<T> {
  if (options.passphrase === '') {
    throw new InstanceError(
      'passphrase_empty',
      'the passphrase is empty: give one, or none for plain key files',
    );
  }
  try {
    return await use(await openDataFolder(options.folder, options.kind, options.clock.now()));
  } catch (error) {
    if (codeOf(error) === undefined || !(error instanceof Error)) throw error;
    const sentence = `the data folder ${options.folder} cannot be used: ${error.message}`;
    throw new InstanceError('folder_unusable', sentence, error);
  }
}

export async function makeLogPart(
  folder: DataFolder,
  { random, passphrase }: LogInstanceOptions,
): Promise<void> {
  const pemOf = (key: KeyObject): string => writePrivateKey(key, random, passphrase);
  await providePart(folder, 'log', async () => newLogKeys(pemOf));
}

/** The files of a log's keys. */
export function newLogKeys(pemOf: (key: KeyObject) => string): ReadonlyMap<string, string> {
  return new Map([
    ['log.key', pemOf(makeEcdsaKey())],
    ['note.key', pemOf(makeEd25519Key())],
  ]);
}

export async function loadLogKeys(own: OwnKeys, part: string): Promise<LogKeys> {
  return {
    logSigner: nativeSigner(await own(`${part}/log.key`)),
    noteSigner: nativeSigner(await own(`${part}/note.key`)),
  };
}

/** A log that is frozen stays behind its successor, though the clock was set back to before the change. */
export function logsOf({ log }: Generations, now: Instant, folder: string): readonly LogGeneration[] {
  const frozen = log.findLastIndex(({ part }) => existsSync(join(folder, part, 'tree', FINAL_KEY)));
  return log.slice(0, Math.max(currentAt(log, now), frozen + 1) + 1);
}

/** Clients hear of it before its first SCT. */
export async function pendingLogOf(
  { log }: Generations,
  logs: readonly LogGeneration[],
  own: OwnKeys,
): Promise<PendingLog | undefined> {
  const pending = log[logs.length];
  if (pending === undefined) return undefined;
  const { publicKey } = nativeSigner(await own(`${pending.part}/log.key`));
  return { part: pending.part, made: pending.made, publicKey };
}

/** Of the log that takes entries. */
export function partOf(logs: readonly LogGeneration[]): string {
  return logs.at(-1)?.part ?? 'log';
}

const elsewhere: Signer = {
  algorithm: 'ecdsa-p256-sha256',
  publicKey: new Uint8Array(),
  sign: () => Promise.reject(new Error('the keys of the log are with another process')),
};

/** Of a process that has no part in the log. */
export const LOG_KEYS_ELSEWHERE: Pick<LogInstance, 'logSigner' | 'noteSigner' | 'keysOfLog'> = {
  logSigner: elsewhere,
  noteSigner: elsewhere,
  keysOfLog: async () => LOG_KEYS_ELSEWHERE,
};

/** The keys of a log in memory, gone with the process. */
export function ephemeralLogInstance(): LogInstance {
  const keys = {
    logSigner: nativeSigner(makeEcdsaKey()),
    noteSigner: nativeSigner(makeEd25519Key()),
  };
  return { ...keys, logs: FIRST.log, keysOfLog: async () => keys, warnings: [] };
}
