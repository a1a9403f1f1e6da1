// Signer choice: a private key by the name of its secret, held here or by the signer Worker.

import type { Signer } from '../key/signer.ts';
import { importPrivateKey, PrivateKeyError } from '../web/private-key.ts';
import type { Environment } from './environment.ts';
import type { KeyName } from './signer-service.ts';
import type { KeySecrets } from './variables.ts';

/** Throws an Error with a sentence that names the secret. */
export async function signerOf(
  environment: Pick<Environment, 'SIGNER' | KeyName>,
  name: KeyName,
): Promise<Signer> {
  const { SIGNER } = environment;
  if (SIGNER === undefined) return importSecret(environment, name);
  const { algorithm, publicKey } = await SIGNER.describe(name);
  return { algorithm, publicKey, sign: async (message) => SIGNER.sign(name, message) };
}

export async function importSecret(secrets: Pick<KeySecrets, KeyName>, name: KeyName): Promise<Signer> {
  const pem = secrets[name];
  if (pem === undefined) throw new Error(`the secret ${name} is not set`);
  try {
    return await importPrivateKey(pem);
  } catch (cause) {
    if (!(cause instanceof PrivateKeyError)) throw cause;
    throw new Error(`the secret ${name} ${cause.message}`, { cause });
  }
}
