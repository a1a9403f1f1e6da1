// CA settings: an existing CA, and where its key is.

import type * as z from 'zod';
import type { ca } from './ca-schema.ts';
import { defined } from './trust-material.ts';

export type CaSettings = CaKeyFile | CaToken | CaVault;

interface Chain {
  /** Path of a PEM file. */
  readonly chain: string;
}

export interface CaKeyFile extends Chain {
  /** Path of a PEM file. */
  readonly key: string;
  readonly passphraseFile?: string;
}

export interface CaToken extends Chain {
  readonly pkcs11: {
    readonly module: string;
    readonly token: string;
    readonly pinFile: string;
    readonly keyLabel: string;
  };
}

export interface CaVault extends Chain {
  readonly vault: {
    readonly url: string;
    readonly key: string;
    readonly mount: string;
    readonly tokenFile: string;
    readonly namespace?: string;
    readonly timeoutMs: number;
  };
}

export function readCa(given: z.output<typeof ca>): CaSettings {
  const { chain, key = '', pkcs11, vault } = given;
  if (pkcs11 !== undefined) {
    const { module, token, 'pin-file': pinFile, 'key-label': keyLabel } = pkcs11;
    return { chain, pkcs11: { module, token, pinFile, keyLabel } };
  }
  if (vault !== undefined) {
    const { url, mount, namespace, timeout: timeoutMs } = vault;
    const service = { url, key: vault.key, mount, tokenFile: vault['token-file'], timeoutMs };
    return { chain, vault: { ...service, ...defined('namespace', namespace) } };
  }
  return { chain, key, ...defined('passphraseFile', given['passphrase-file']) };
}
