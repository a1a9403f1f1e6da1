// Instance key: the private keys of an instance's files, read with what has to be said about how they are kept.

import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hex } from '../../encoding/bytes.ts';
import type { Signer } from '../../key/signer.ts';
import { codeOf, type DataFolder, InstanceError, permissionWarning } from './data-folder.ts';
import { isEncrypted, KeyFileError, readPrivateKey } from './key-file.ts';

/** Loads a key of the folder by its name. */
export type OwnKeys = (name: string) => Promise<KeyObject>;

export function ownKeys(
  { path }: DataFolder,
  { passphrase }: { readonly passphrase?: string },
  warnings: string[],
): OwnKeys {
  return async (name) => {
    const file = join(path, name);
    if (passphrase !== undefined && !isEncrypted(await read(file))) {
      warnings.push(`${file} is not encrypted, although a passphrase is set`);
    }
    return loadKey(file, passphrase, warnings);
  };
}

export async function loadKey(
  file: string,
  passphrase: string | undefined,
  warnings: string[],
): Promise<KeyObject> {
  const pem = await read(file);
  warnings.push(...(await collect([permissionWarning(file)])));
  try {
    return readPrivateKey(pem, passphrase);
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    throw new InstanceError('key_unreadable', `${file}: ${error.message}`, error);
  }
}

export async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = codeOf(error) ?? 'unknown';
    const sentence =
      code === 'ENOENT'
        ? `${file} is missing: restore it from a backup; Mayfly makes no new one in its place`
        : `${file} cannot be read: ${code}`;
    throw new InstanceError(code === 'ENOENT' ? 'file_missing' : 'file_unreadable', sentence, error);
  }
}

export async function collect(sentences: readonly Promise<string | undefined>[]): Promise<string[]> {
  return (await Promise.all(sentences)).filter((sentence) => sentence !== undefined);
}

/** A key with two purposes lets a signature made for one pass for the other. */
export function requireDistinct(signers: readonly (Signer | undefined)[]): void {
  const keys = signers.flatMap((signer) => (signer === undefined ? [] : [hex(signer.publicKey)]));
  if (new Set(keys).size === keys.length) return;
  const sentence = 'CA, log, checkpoint and timestamps need a key each, and two of them have the same';
  throw new InstanceError('keys_shared', sentence);
}
