// Offline root: a root CA in a folder of its own, on a machine that has no network, which signs requests of instances.

import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AuthorityError } from '../../certificate/authority-error.ts';
import {
  type CaName,
  createIntermediate,
  createRoot,
  type Parent,
} from '../../certificate/ca-certificate.ts';
import { readCaCertificate } from '../../certificate/ca-reader.ts';
import { readCaRequest } from '../../certificate/ca-request.ts';
import { checkChain, readChain } from '../../certificate/chain.ts';
import { systemClock } from '../../clock.ts';
import { type Bytes, equal } from '../../encoding/bytes.ts';
import { encodePem } from '../../encoding/pem.ts';
import { sha256 } from '../system/native-digest.ts';
import { nativeRandom as random } from '../system/native-random.ts';
import { nativeSigner } from '../system/native-signer.ts';
import { nativeVerifier as verifier } from '../system/native-verifier.ts';
import { makeFolderOf } from './data-folder.ts';
import { loadKey, read } from './instance-key.ts';
import { writePrivateKey } from './key-file.ts';
import { type CaCurve, makeEcdsaKey } from './new-ca.ts';

export interface NewRoot {
  readonly folder: string;
  readonly name: CaName;
  readonly curve: CaCurve;
  /** Encrypts its key. */
  readonly passphrase?: string | undefined;
}

/** Makes the folder (0700) with root.pem and root.key (0600), whole or not at all; resolves with the certificate. Rejects where something is there. */
export async function makeOfflineRoot({ folder, name, curve, passphrase }: NewRoot): Promise<Bytes> {
  const path = resolve(folder);
  if (existsSync(path) && (await readdir(path)).length > 0)
    throw new Error(`${folder} is not empty: a root wants a folder of its own`);
  if (passphrase === '') throw new Error('the passphrase is empty: give one, or none for a key in clear');
  await mkdir(dirname(path), { recursive: true });
  const key = makeEcdsaKey(curve);
  const root = await createRoot(name, nativeSigner(key), { random, sha256, now: systemClock.now() });
  const files = new Map([
    ['root.pem', encodePem('CERTIFICATE', root)],
    ['root.key', writePrivateKey(key, random, passphrase)],
  ]);
  await makeFolderOf(dirname(path), basename(path), files);
  return root;
}

/** Throws InstanceError for files that are not there or cannot be read, and an Error for a key of another root. */
export async function openOfflineRoot(folder: string, passphrase: string | undefined): Promise<Parent> {
  const [certificate] = readChain(await read(join(folder, 'root.pem')));
  const signer = nativeSigner(await loadKey(join(folder, 'root.key'), passphrase, []));
  if (certificate === undefined || !equal(readCaCertificate(certificate).spki, signer.publicKey))
    throw new Error(`root.key in ${folder} is not the key of root.pem`);
  return { certificate, signer };
}

export interface SignedRequest {
  /** DER, the intermediate first, the root last. */
  readonly chain: readonly Bytes[];
  /** SHA-256 of the SubjectPublicKeyInfo that was certified. */
  readonly keyHash: Bytes;
}

/**
 * An intermediate for the key of a request, under its subject. `expected` is the key's SHA-256, by another way than the request came.
 * Throws AuthorityError for a request that is not what an instance makes.
 */
export async function signCaRequest(
  request: Uint8Array,
  root: Parent,
  expected: Bytes | undefined,
): Promise<SignedRequest> {
  const { subject, publicKey } = await readCaRequest(request, verifier);
  const keyHash = sha256(publicKey.spki);
  if (expected !== undefined && !equal(keyHash, expected))
    throw new AuthorityError('key_mismatch', 'the key of the request is not the one that was expected');
  const above = readCaCertificate(root.certificate);
  if (equal(subject, above.subject))
    throw new AuthorityError(
      'request_unusable',
      `the request asks for the name of the root (${above.title})`,
    );
  if (equal(publicKey.spki, above.spki))
    throw new AuthorityError('request_unusable', 'the request is for the key of the root itself');
  const now = systemClock.now();
  const intermediate = await createIntermediate(subject, publicKey.spki, root, { random, sha256, now });
  const chain = [intermediate, root.certificate];
  await checkChain(chain.map(readCaCertificate), now, verifier);
  return { chain, keyHash };
}
