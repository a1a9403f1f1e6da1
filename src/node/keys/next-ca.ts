// Next CA: an intermediate with a new key, and a timestamp authority beside it, under the root that is there or a new one.

import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Parent } from '../../certificate/ca-certificate.ts';
import { readChain } from '../../certificate/chain.ts';
import { systemClock } from '../../clock.ts';
import { type Bytes, equal } from '../../encoding/bytes.ts';
import { encodePem } from '../../encoding/pem.ts';
import { sha256 } from '../system/native-digest.ts';
import { nativeRandom as random } from '../system/native-random.ts';
import { nativeSigner } from '../system/native-signer.ts';
import type { InstanceKind } from './data-folder.ts';
import type { Generations } from './generations.ts';
import { numberOf } from './generations.ts';
import { loadKey, read } from './instance-key.ts';
import { writePrivateKey } from './key-file.ts';
import {
  type CaCurve,
  makeCa,
  makeIntermediate,
  makeTimestampAuthority,
  type NewCaOptions,
  namesOf,
} from './new-ca.ts';
import { type Making, type NextParts, RotationRefused } from './next-generation.ts';
import { chainFilesOf, KEY_PLACE } from './trusted-chains.ts';

export interface NextCaOptions {
  readonly folder: string;
  readonly kind: InstanceKind;
  /** Encrypts the new keys, and decrypts the root's. */
  readonly passphrase?: string | undefined;
  /** A new root, too. */
  readonly newRoot: boolean;
  /** Where the root key is while this goes on; in the data folder unless given. */
  readonly rootKey?: string | undefined;
}

/** Throws RotationRefused where the root key is not at hand, or the CA is one that Mayfly has not made. */
export async function nextCa(options: NextCaOptions, { generations, nameOf }: Making): Promise<NextParts> {
  const { folder, kind, passphrase, newRoot } = options;
  const current = generations.ca.at(-1)?.part ?? 'ca';
  if (!madeHere(folder, current))
    throw new RotationRefused(
      `the key of the CA in ${folder} is kept elsewhere: make the next with "mayfly ca csr" and "mayfly ca import"`,
    );
  const chain = await chainIn(folder, current);
  const creation: NewCaOptions = {
    kind,
    random,
    sha256,
    now: systemClock.now(),
    curve: curveOf(chain[0]),
    names: namesOf(kind, numberOf(nameOf('ca'))),
  };
  const pemOf = (key: KeyObject): string => writePrivateKey(key, random, passphrase);
  if (newRoot) {
    const made = await makeCa(creation);
    const parent = { certificate: made.root, signer: nativeSigner(made.rootKey) };
    const ca = new Map([
      ['chain.pem', pemOfChain([made.intermediate, made.root])],
      ['intermediate.key', pemOf(made.intermediateKey)],
      ['root.key', pemOf(made.rootKey)],
    ]);
    return { ca, timestamp: await nextTimestamp(creation, pemOf, parent) };
  }
  const parent = await rootOf(options, generations, chain);
  const made = await makeIntermediate(creation, parent);
  const ca = new Map([
    ['chain.pem', pemOfChain([made.intermediate, parent.certificate])],
    ['intermediate.key', pemOf(made.intermediateKey)],
  ]);
  return { ca, timestamp: await nextTimestamp(creation, pemOf, parent) };
}

/** Its files; without a parent it stands under a root of its own, whose key is thrown away. */
export async function nextTimestamp(
  creation: NewCaOptions,
  pemOf: (key: KeyObject) => string,
  parent?: Parent,
): Promise<ReadonlyMap<string, string>> {
  const made = await makeTimestampAuthority(creation, parent);
  return new Map([
    ['chain.pem', pemOfChain(made.chain)],
    ['timestamp.key', pemOf(made.key)],
  ]);
}

export function pemOfChain(chain: readonly Bytes[]): string {
  return chain.map((der) => encodePem('CERTIFICATE', der)).join('');
}

function madeHere(folder: string, part: string): boolean {
  return existsSync(join(folder, part, 'intermediate.pem')) || !existsSync(join(folder, part, KEY_PLACE));
}

/** Issuing CA first. */
export async function chainIn(folder: string, part: string): Promise<readonly Bytes[]> {
  const files = chainFilesOf(folder, part);
  return (await Promise.all(files.map(async (file) => readChain(await read(file))))).flat();
}

/** The root of the chain in force with its key. */
async function rootOf(
  { folder, passphrase, rootKey }: NextCaOptions,
  { ca }: Generations,
  chain: readonly Bytes[],
): Promise<Parent> {
  const certificate = chain.at(-1);
  const spki = certificate && spkiOf(certificate);
  if (certificate === undefined || spki === undefined) throw new RotationRefused(`${folder} has no CA`);
  const files =
    rootKey === undefined
      ? ca.map(({ part }) => join(folder, part, 'root.key')).filter((file) => existsSync(file))
      : [rootKey];
  for (const file of files.toReversed()) {
    const signer = nativeSigner(await loadKey(file, passphrase, []));
    if (equal(signer.publicKey, spki)) return { certificate, signer };
  }
  const subject = new X509Certificate(certificate).subject.replaceAll('\n', ', ');
  throw new RotationRefused(
    files.length === 0
      ? `the key of the root (${subject}) is not in ${folder}: name it with --root-key, or let an offline root sign with "mayfly ca csr", or make a new root with --root`
      : `${files.join(' and ')} is not the key of the root (${subject})`,
  );
}

function spkiOf(certificate: Bytes): Bytes {
  const { publicKey } = new X509Certificate(certificate);
  return new Uint8Array(
    createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })).export({
      type: 'spki',
      format: 'der',
    }),
  );
}

/** The same as before, as far as Mayfly makes it. */
function curveOf(certificate: Bytes | undefined): CaCurve {
  if (certificate === undefined) return 'P-256';
  const { namedCurve } = new X509Certificate(certificate).publicKey.asymmetricKeyDetails ?? {};
  return namedCurve === 'secp384r1' ? 'P-384' : 'P-256';
}
