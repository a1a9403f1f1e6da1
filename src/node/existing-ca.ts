// Existing CA: an operator's own CA, with its key in a file, in a PKCS#11 token, or in a key management service.

import { readFileSync } from 'node:fs';
import type { CaSettings } from '../config/ca-settings.ts';
import type { ExistingCa } from './instance.ts';
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

/** Throws an Error with a sentence for a file that cannot be read. */
export function firstLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)[0] ?? '';
  } catch (cause) {
    throw new Error(`the file ${file} cannot be read`, { cause });
  }
}
