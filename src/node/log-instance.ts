// Log instance: the keys that a log runs with, from a data folder or from memory alone.

import type { KeyObject } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Random } from '../encoding/random.ts';
import type { Signer } from '../key/signer.ts';
import {
  codeOf,
  type DataFolder,
  InstanceError,
  type InstanceKind,
  openDataFolder,
  permissionWarning,
  providePart,
} from './data-folder.ts';
import { collect, type OwnKeys, ownKeys, requireDistinct } from './instance-key.ts';
import { writePrivateKey } from './key-file.ts';
import { nativeSigner } from './native-signer.ts';
import { makeEcdsaKey, makeEd25519Key } from './new-ca.ts';

/** What a log needs. */
export interface LogInstance {
  /** ECDSA P-256: signs SCTs and tree heads. */
  readonly logSigner: Signer;
  /** Ed25519: cosigns checkpoints. */
  readonly noteSigner: Signer;
  /** Absolute path of the data folder; undefined when the instance is in memory alone. */
  readonly folder?: string;
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
    const { logSigner, noteSigner } = await loadLogKeys(ownKeys(folder, options, warnings));
    requireDistinct([logSigner, noteSigner]);
    return { logSigner, noteSigner, folder: folder.path, warnings };
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
  await providePart(
    folder,
    'log',
    async () =>
      new Map([
        ['log.key', pemOf(makeEcdsaKey())],
        ['note.key', pemOf(makeEd25519Key())],
      ]),
  );
}

export async function loadLogKeys(own: OwnKeys): Promise<Pick<LogInstance, 'logSigner' | 'noteSigner'>> {
  return {
    logSigner: nativeSigner(await own('log/log.key')),
    noteSigner: nativeSigner(await own('log/note.key')),
  };
}

/** The keys of a log in memory, gone with the process. */
export function ephemeralLogInstance(): LogInstance {
  return {
    logSigner: nativeSigner(makeEcdsaKey()),
    noteSigner: nativeSigner(makeEd25519Key()),
    warnings: [],
  };
}
