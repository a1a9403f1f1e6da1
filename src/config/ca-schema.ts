// CA schema: the keys under `ca`: an existing CA, and where its key is.

import * as z from 'zod';
import { duration, text, webUrl } from './value-schema.ts';

const pkcs11 = z
  .strictObject({
    module: text.describe("Path of the vendor's PKCS#11 library, such as libsofthsm2.so."),
    token: text.describe('Label of the token.'),
    'pin-file': text.describe('File whose first line is the PIN of the user.'),
    'key-label': text.describe('Label of the private key.'),
  })
  .describe('The key is in a PKCS#11 token; takes the package pkcs11js.');

const vault = z
  .strictObject({
    url: webUrl.regex(/[^/]$/, 'takes a URL without a slash at its end').describe('The server.'),
    key: text.describe('Name of the key.'),
    mount: text.describe('Path of the Transit secrets engine.').default('transit'),
    'token-file': text.describe('File whose first line is the token; read anew for each signature.'),
    namespace: text.optional().describe('Namespace of the server, where it has any.'),
    timeout: duration.describe('For one signature.').prefault('5s'),
  })
  .describe('The key is in the Transit engine of HashiCorp Vault or OpenBao.');

export const ca = z
  .strictObject({
    chain: text.describe('PEM file: the issuing CA first, the root last.'),
    key: text.optional().describe('PEM file with the private key of the issuing CA.'),
    'passphrase-file': text.optional().describe('File that holds the passphrase of an encrypted key.'),
    pkcs11: pkcs11.optional(),
    vault: vault.optional(),
  })
  .refine(
    ({ key, pkcs11: token, vault: service }) =>
      [key, token, service].filter((place) => place !== undefined).length === 1,
    'takes one of key, pkcs11 and vault: where the private key is',
  )
  .refine(
    (given) => given['passphrase-file'] === undefined || given.key !== undefined,
    'takes passphrase-file beside key only',
  )
  .describe('An existing CA; without it Mayfly makes one in the data folder.');
