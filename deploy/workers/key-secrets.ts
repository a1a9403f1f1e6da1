// Key secrets: the keys and chains of a data folder, in the form in which a Worker takes them.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import type { ExistingCa } from '../../src/node/keys/authority-files.ts';
import type { InstanceKind } from '../../src/node/keys/data-folder.ts';
import { openInstance } from '../../src/node/keys/instance.ts';
import { readPrivateKey, writePrivateKey } from '../../src/node/keys/key-file.ts';
import { chainFilesOf } from '../../src/node/keys/trusted-chains.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { nativeRandom as random } from '../../src/node/system/native-random.ts';
import { nativeVerifier as verifier } from '../../src/node/system/native-verifier.ts';
import type { KeySecrets } from '../../src/workers/variables.ts';

/** An existing CA whose key is in a file: a Worker takes keys as text, and reaches no token. */
export type CaFiles = Extract<ExistingCa, { readonly key: string }>;

export interface KeyFolderOptions {
  readonly folder: string;
  readonly kind: InstanceKind;
  /** Decrypts the keys in the folder, and encrypts those that are made now. */
  readonly passphrase?: string;
  /** Instead of one in the folder. */
  readonly ca?: CaFiles;
}

/** Makes what is missing, as the first start of `serve` does, so that the folder serves Node as well. Throws InstanceError. */
export async function keySecrets(options: KeyFolderOptions): Promise<KeySecrets> {
  const { folder, passphrase, ca } = options;
  const { parts } = await openInstance({ ...options, clock: systemClock, random, sha256, verifier });
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  // WebCrypto reads PKCS#8 in clear and nothing else.
  const key = (name: string): string => writePrivateKey(readPrivateKey(read(name), passphrase), random);
  return {
    ...(ca === undefined
      ? {
          CA_CHAIN: chainFilesOf('', parts.ca).map(read).join(''),
          CA_KEY: key(`${parts.ca}/intermediate.key`),
        }
      : existing(ca)),
    LOG_KEY: key('log/log.key'),
    NOTE_KEY: key('log/note.key'),
    ...(existsSync(join(folder, parts.timestamp)) && {
      TIMESTAMP_CHAIN: read(`${parts.timestamp}/chain.pem`),
      TIMESTAMP_KEY: key(`${parts.timestamp}/timestamp.key`),
    }),
  };
}

function existing({ chain, key, passphrase }: CaFiles): KeySecrets {
  return {
    CA_CHAIN: readFileSync(chain, 'utf8'),
    CA_KEY: writePrivateKey(readPrivateKey(readFileSync(key, 'utf8'), passphrase), random),
  };
}

/** What the front gets where the signer Worker holds the keys: chains alone. */
export function chainsIn({ CA_CHAIN, TIMESTAMP_CHAIN }: KeySecrets): KeySecrets {
  return {
    ...(CA_CHAIN !== undefined && { CA_CHAIN }),
    ...(TIMESTAMP_CHAIN !== undefined && { TIMESTAMP_CHAIN }),
  };
}

/** What the signer Worker gets. */
export function keysIn({ CA_CHAIN: _, TIMESTAMP_CHAIN: __, ...keys }: KeySecrets): KeySecrets {
  return keys;
}
