// Log keys: the public keys of the log in a data folder.

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { type PublicKey, parsePublicKey } from '../key/public-key.ts';
import { readGenerations, signsAt } from '../node/keys/generations.ts';
import { loadKey } from '../node/keys/instance-key.ts';

export interface KeyFlags {
  data: string;
  keyPassphraseFile?: string;
}

export interface LogKeys {
  /** P-256: of SCTs and tree heads. */
  readonly log: PublicKey;
  /** Ed25519: of the second signature on checkpoints. */
  readonly note: PublicKey;
}

/** Where the log that takes entries has its keys and its tree in the data folder. */
export async function logPartOf(data: string): Promise<string> {
  return signsAt((await readGenerations(data)).log, systemClock.now()).part;
}

/** Throws an Error with a sentence that names the file when a key cannot be read. */
export async function logKeysOf({ data, keyPassphraseFile }: KeyFlags, part?: string): Promise<LogKeys> {
  const passphrase =
    keyPassphraseFile === undefined
      ? undefined
      : (readFileSync(keyPassphraseFile, 'utf8').split(/\r?\n/)[0] ?? '');
  const folder = part ?? (await logPartOf(data));
  const load = async (name: string): Promise<PublicKey> => {
    const key = await loadKey(join(data, folder, name), passphrase, []);
    return parsePublicKey(new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' })));
  };
  return { log: await load('log.key'), note: await load('note.key') };
}
