// Instance: the authority and log keys that a process runs with, from its data folder, from given files, or from memory alone.

import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Authority, openAuthority } from '../certificate/authority.ts';
import { AuthorityError } from '../certificate/authority-error.ts';
import type { Parent } from '../certificate/ca-certificate.ts';
import { readCaCertificate } from '../certificate/ca-reader.ts';
import { readChain } from '../certificate/chain.ts';
import type { Clock } from '../clock.ts';
import { type Bytes, equal } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { encodePem } from '../encoding/pem.ts';
import type { Random } from '../encoding/random.ts';
import type { Signer } from '../key/signer.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import {
  type DataFolder,
  InstanceError,
  type InstanceKind,
  permissionWarning,
  providePart,
} from './data-folder.ts';
import { collect, loadKey, ownKeys, read, requireDistinct } from './instance-key.ts';
import { writePrivateKey } from './key-file.ts';
import {
  ephemeralLogInstance,
  type LogInstance,
  loadLogKeys,
  makeLogPart,
  openFolder,
} from './log-instance.ts';
import { nativeSigner } from './native-signer.ts';
import { type CaCurve, type InstanceNames, makeCa, makeTimestampAuthority, type NewCa } from './new-ca.ts';

/** What a timestamp authority is made of. */
export interface TimestampMaterial {
  readonly signer: Signer;
  /** DER, its own certificate first, the root last. */
  readonly chain: readonly Bytes[];
}

export interface Instance extends LogInstance {
  readonly authority: Authority;
  /** Undefined where the root key was gone before it could be made. */
  readonly timestamp?: TimestampMaterial;
}

/** An existing CA: path of its PEM chain (issuing CA first, root last), and its private key: a path, or wherever it is. */
export type ExistingCa =
  | { readonly chain: string; readonly key: string; readonly passphrase?: string }
  /** Opens the key of this SubjectPublicKeyInfo; rejects with an Error with a sentence. */
  | { readonly chain: string; readonly signer: (publicKey: Bytes) => Promise<Signer> };

export interface EphemeralOptions {
  readonly kind: InstanceKind;
  readonly clock: Clock;
  readonly random: Random;
  readonly sha256: Sha256;
  readonly verifier: SignatureVerifier;
  readonly ca?: ExistingCa;
  /** For a CA that is made now. */
  readonly curve?: CaCurve;
  readonly names?: InstanceNames;
}

export interface InstanceOptions extends EphemeralOptions {
  readonly folder: string;
  /** Encrypts the keys that are made now, and decrypts those that are encrypted. */
  readonly passphrase?: string;
}

/**
 * The instance of a data folder. The first start makes what is missing: `ca/` (root and intermediate, certificate
 * and key each, unless `ca` names existing ones), `log/` (log.key, note.key) and `timestamp/` (chain.pem,
 * timestamp.key). `ca/root.key` is not read after that
 * and may be taken away. What has been made once is never made again. Throws InstanceError.
 */
export function openInstance(options: InstanceOptions): Promise<Instance> {
  return openFolder(options, async (folder) => {
    const { timestamp } = await makeParts(folder, options);
    return load(folder, options, timestamp);
  });
}

async function makeParts(folder: DataFolder, options: InstanceOptions): Promise<{ timestamp: boolean }> {
  const pemOf = (key: KeyObject): string => writePrivateKey(key, options.random, options.passphrase);
  if (options.ca === undefined) {
    await providePart(folder, 'ca', async () => {
      const made = await newCa(options);
      return new Map([
        ['root.pem', encodePem('CERTIFICATE', made.root)],
        ['root.key', pemOf(made.rootKey)],
        ['intermediate.pem', encodePem('CERTIFICATE', made.intermediate)],
        ['intermediate.key', pemOf(made.intermediateKey)],
      ]);
    });
  }
  await makeLogPart(folder, options);
  return { timestamp: await makeTimestampPart(folder, options) };
}

/** Made while the root key is at hand; an instance whose root key is gone does without. */
function makeTimestampPart(folder: DataFolder, options: InstanceOptions): Promise<boolean> {
  return providePart(folder, 'timestamp', async () => {
    const root = options.ca === undefined ? await rootAtHand(folder, options) : undefined;
    if (options.ca === undefined && root === undefined) return undefined;
    const made = await makeTimestampAuthority({ ...options, now: options.clock.now() }, root);
    return new Map([
      ['chain.pem', made.chain.map((der) => encodePem('CERTIFICATE', der)).join('')],
      ['timestamp.key', writePrivateKey(made.key, options.random, options.passphrase)],
    ]);
  });
}

async function rootAtHand(
  { path }: DataFolder,
  { passphrase }: InstanceOptions,
): Promise<Parent | undefined> {
  const file = join(path, 'ca', 'root.key');
  if (!existsSync(file)) return undefined;
  const [certificate] = readChain(await read(join(path, 'ca', 'root.pem')));
  return certificate && { certificate, signer: nativeSigner(await loadKey(file, passphrase, [])) };
}

async function load(folder: DataFolder, options: InstanceOptions, hasTimestamp: boolean): Promise<Instance> {
  const { path } = folder;
  const warnings = await collect([permissionWarning(path)]);
  const own = ownKeys(folder, options, warnings);
  const authority =
    options.ca === undefined
      ? await loadAuthority(
          [join(path, 'ca', 'intermediate.pem'), join(path, 'ca', 'root.pem')],
          nativeSigner(await own('ca/intermediate.key')),
          options,
        )
      : await existingAuthority(options.ca, options, warnings);
  const { logSigner, noteSigner } = await loadLogKeys(own);
  let timestamp: TimestampMaterial | undefined;
  if (hasTimestamp) {
    const chain = readChain(await read(join(path, 'timestamp', 'chain.pem')));
    timestamp = { chain, signer: nativeSigner(await own('timestamp/timestamp.key')) };
  } else {
    warnings.push(
      'there is no timestamp authority: ca/root.key was already gone when it would have been made',
    );
  }
  requireDistinct([authority.signer, logSigner, noteSigner, timestamp?.signer]);
  return { authority, logSigner, noteSigner, ...(timestamp && { timestamp }), folder: path, warnings };
}

/** An instance in memory: all keys but the one of a given `ca` are gone with the process. Throws InstanceError. */
export async function ephemeralInstance(options: EphemeralOptions): Promise<Instance> {
  const warnings: string[] = [];
  let authority: Authority;
  let parent: Parent | undefined;
  if (options.ca === undefined) {
    const { root, rootKey, intermediate, intermediateKey } = await newCa(options);
    authority = await open([intermediate, root], nativeSigner(intermediateKey), options);
    parent = { certificate: root, signer: nativeSigner(rootKey) };
  } else authority = await existingAuthority(options.ca, options, warnings);
  const { chain, key } = await makeTimestampAuthority({ ...options, now: options.clock.now() }, parent);
  const timestamp = { chain, signer: nativeSigner(key) };
  return { ...ephemeralLogInstance(), authority, timestamp, warnings };
}

function newCa(options: EphemeralOptions): Promise<NewCa> {
  return makeCa({ ...options, now: options.clock.now() });
}

async function existingAuthority(
  ca: ExistingCa,
  options: EphemeralOptions,
  warnings: string[],
): Promise<Authority> {
  const key =
    'signer' in ca
      ? await ca.signer(await issuingKey(ca.chain))
      : nativeSigner(await loadKey(ca.key, ca.passphrase, warnings));
  const authority = await loadAuthority([ca.chain], key, options);
  const anchor = authority.chain.at(-1);
  if (anchor !== undefined) {
    const { issuer, subject, title } = readCaCertificate(anchor);
    if (!equal(issuer, subject)) {
      warnings.push(
        `${ca.chain} does not end in a root but in ${title}: some clients accept only a whole chain`,
      );
    }
  }
  return authority;
}

/** SubjectPublicKeyInfo of the first certificate. */
async function issuingKey(file: string): Promise<Bytes> {
  const unusable = (error: AuthorityError) =>
    new InstanceError('chain_unusable', `${file}: ${error.message}`, error);
  try {
    const [first] = readChain(await read(file));
    if (first === undefined) throw new AuthorityError('chain_empty', 'the chain has no certificate');
    return readCaCertificate(first).spki;
  } catch (error) {
    throw error instanceof AuthorityError ? unusable(error) : error;
  }
}

async function loadAuthority(
  files: readonly string[],
  signer: Signer,
  options: EphemeralOptions,
): Promise<Authority> {
  try {
    const chain: Bytes[] = [];
    for (const file of files) chain.push(...readChain(await read(file)));
    return await open(chain, signer, options);
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error;
    throw new InstanceError('chain_unusable', `${files.join(' and ')}: ${error.message}`, error);
  }
}

function open(chain: readonly Bytes[], signer: Signer, options: EphemeralOptions): Promise<Authority> {
  return openAuthority(chain, signer, options.sha256, options.clock.now(), options.verifier);
}
