// Key secrets: the keys and chains of a data folder, in the form in which a Worker takes them.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import type { InstanceKind } from '../../src/node/data-folder.ts';
import { openInstance } from '../../src/node/instance.ts';
import { readPrivateKey, writePrivateKey } from '../../src/node/key-file.ts';
import { sha256 } from '../../src/node/native-digest.ts';
import { nativeRandom as random } from '../../src/node/native-random.ts';
import { nativeVerifier as verifier } from '../../src/node/native-verifier.ts';
import type { KeySecrets } from '../../src/workers/variables.ts';

export interface KeyFolderOptions {
  readonly folder: string;
  readonly kind: InstanceKind;
  /** Decrypts the keys in the folder, and encrypts those that are made now. */
  readonly passphrase?: string;
}

/** Makes what is missing, as the first start of `serve` does, so that the folder serves Node as well. Throws InstanceError. */
export async function keySecrets({ folder, kind, passphrase }: KeyFolderOptions): Promise<KeySecrets> {
  await openInstance({
    folder,
    kind,
    clock: systemClock,
    random,
    sha256,
    verifier,
    ...(passphrase !== undefined && { passphrase }),
  });
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const key = (name: string): string => plainKey(read(name), passphrase);
  const secrets = {
    CA_CHAIN: read('ca/intermediate.pem') + read('ca/root.pem'),
    CA_KEY: key('ca/intermediate.key'),
    LOG_KEY: key('log/log.key'),
    NOTE_KEY: key('log/note.key'),
  };
  if (!existsSync(join(folder, 'timestamp'))) return secrets;
  return {
    ...secrets,
    TIMESTAMP_CHAIN: read('timestamp/chain.pem'),
    TIMESTAMP_KEY: key('timestamp/timestamp.key'),
  };
}

/** PKCS#8 without encryption: WebCrypto reads nothing else. */
function plainKey(pem: string, passphrase: string | undefined): string {
  return writePrivateKey(readPrivateKey(pem, passphrase), random);
}
