// Existing CA: an operator's own CA, with its key in a file, in a PKCS#11 token, or in a key management service.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { CaSettings } from '../../config/ca-settings.ts';
import type { ExistingCa } from './authority-files.ts';
import { openTransitSigner } from './kms-signer.ts';
import { openPkcs11Signer } from './pkcs11-signer.ts';

export function existingCa(given: CaSettings): ExistingCa {
  const { chain } = given;
  if ('pkcs11' in given) {
    const { pinFile, ...place } = given.pkcs11;
    return {
      chain,
      signer: (publicKey) => openPkcs11Signer({ ...place, pin: firstLine(pinFile), publicKey }),
    };
  }
  if ('vault' in given) {
    const { tokenFile, timeoutMs: timeout, ...place } = given.vault;
    const token = (): string => firstLine(tokenFile);
    return { chain, signer: (publicKey) => openTransitSigner({ ...place, timeout, token, publicKey }) };
  }
  const { key, passphraseFile } = given;
  return { chain, key, ...(passphraseFile !== undefined && { passphrase: firstLine(passphraseFile) }) };
}

const place = z.union([
  z.strictObject({
    pkcs11: z.strictObject({
      module: z.string(),
      token: z.string(),
      pinFile: z.string(),
      keyLabel: z.string(),
    }),
  }),
  z.strictObject({
    vault: z.strictObject({
      url: z.string(),
      key: z.string(),
      mount: z.string(),
      tokenFile: z.string(),
      namespace: z.string().optional(),
      timeoutMs: z.number(),
    }),
  }),
  z.strictObject({ key: z.string(), passphraseFile: z.string().optional() }),
]);

/** Where the key of a CA is, as a data folder remembers it. */
export type KeyPlace = z.output<typeof place>;

/** The CA with that chain file, whose key is where the JSON says. Throws an Error with a sentence. */
export function caAt(chain: string, json: string): ExistingCa {
  return existingCa(settingsAt(chain, json));
}

/** The same as settings. */
export function settingsAt(chain: string, json: string): CaSettings {
  let read: KeyPlace;
  try {
    read = place.parse(JSON.parse(json));
  } catch (cause) {
    throw new Error(`beside ${chain} it says where its key is, and that is damaged`, { cause });
  }
  return withChain(chain, read);
}

function withChain(chain: string, read: KeyPlace): CaSettings {
  if ('pkcs11' in read) return { chain, pkcs11: read.pkcs11 };
  if ('vault' in read) {
    const { namespace, ...rest } = read.vault;
    return { chain, vault: { ...rest, ...(namespace !== undefined && { namespace }) } };
  }
  const { key, passphraseFile } = read;
  return { chain, key, ...(passphraseFile !== undefined && { passphraseFile }) };
}

/** What encrypts the keys in the data folder, where the settings name a file for it. */
export function passphraseOf({
  keyPassphraseFile,
}: {
  readonly keyPassphraseFile?: string | undefined;
}): string | undefined {
  return keyPassphraseFile === undefined ? undefined : firstLine(keyPassphraseFile);
}

/** Throws an Error with a sentence for a file that cannot be read. */
export function firstLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)[0] ?? '';
  } catch (cause) {
    throw new Error(`the file ${file} cannot be read`, { cause });
  }
}
