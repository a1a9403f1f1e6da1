// Log keys: the public keys of the log in a data folder.

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PublicKey, parsePublicKey } from '../key/public-key.ts';
import { loadKey } from '../node/instance-key.ts';

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

/** Throws an Error with a sentence that names the file when a key cannot be read. */
export async function logKeysOf({ data, keyPassphraseFile }: KeyFlags): Promise<LogKeys> {
  const passphrase =
    keyPassphraseFile === undefined
      ? undefined
      : (readFileSync(keyPassphraseFile, 'utf8').split(/\r?\n/)[0] ?? '');
  const load = async (name: string): Promise<PublicKey> => {
    const key = await loadKey(join(data, 'log', name), passphrase, []);
    return parsePublicKey(new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' })));
  };
  return { log: await load('log.key'), note: await load('note.key') };
}
