// Instance: the authority and log keys that a process runs with, from its data folder, from given files, or from memory alone.

import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from '../../certificate/authority.ts';
import type { Parent } from '../../certificate/ca-certificate.ts';
import { readChain } from '../../certificate/chain.ts';
import type { Clock, Instant } from '../../clock.ts';
import type { Bytes } from '../../encoding/bytes.ts';
import type { Sha256 } from '../../encoding/digest.ts';
import { encodePem } from '../../encoding/pem.ts';
import type { Random } from '../../encoding/random.ts';
import type { Signer } from '../../key/signer.ts';
import type { SignatureVerifier } from '../../key/verifier.ts';
import { nativeSigner } from '../system/native-signer.ts';
import { type ExistingCa, existingAuthority, loadAuthority, openChain } from './authority-files.ts';
import {
  type DataFolder,
  InstanceError,
  type InstanceKind,
  isDataFolder,
  permissionWarning,
  providePart,
} from './data-folder.ts';
import { type Generations, nextActivation, readGenerations, signsAt } from './generations.ts';
import { collect, loadKey, type OwnKeys, ownKeys, read, requireDistinct } from './instance-key.ts';
import { writePrivateKey } from './key-file.ts';
import {
  ephemeralLogInstance,
  LOG_KEYS_ELSEWHERE,
  type LogInstance,
  loadLogKeys,
  logsOf,
  makeLogPart,
  openFolder,
  partOf,
  pendingLogOf,
} from './log-instance.ts';
import { type CaCurve, type InstanceNames, makeCa, makeTimestampAuthority, type NewCa } from './new-ca.ts';
import { chainFilesOf, KEY_PLACE, type TrustedChains, trustedChains } from './trusted-chains.ts';

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
  /** All chains that clients are to trust, those in force, before and next, oldest first. */
  readonly trusted: TrustedChains;
  /** When a key that is made and published begins to sign, if a time is set. */
  readonly nextActivation?: Instant | undefined;
  /** Folders in the data folder of what is in force. */
  readonly parts: { readonly ca: string; readonly timestamp: string };
}

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
  /** A CA by its chain file and what KEY_PLACE says. */
  readonly keyAt?: (chain: string, place: string) => ExistingCa;
  /** Leaves the keys of log and timestamps where they are: they are another process's to use. */
  readonly issuesOnly?: boolean;
}

/** Of a data folder that `mayfly ca csr` was asked to make a key in: the key and the request, until the chain comes back. */
export const REQUEST_PART = 'ca-request';

/**
 * The instance of a data folder. The first start makes what is missing: `ca/` (root and intermediate, certificate
 * and key each, unless `ca` names existing ones), `log/` (log.key, note.key) and `timestamp/` (chain.pem,
 * timestamp.key). `ca/root.key` is not read after that
 * and may be taken away. What has been made once is never made again. After a rotation the keys of the generations in
 * force are read, and of the others the certificates. What `before` has open already is not opened again. Throws InstanceError.
 */
export async function openInstance(options: InstanceOptions, before?: Instance): Promise<Instance> {
  // Before anything is made: a CA that cannot be used leaves nothing behind.
  const given = isDataFolder(options.folder) ? undefined : await givenAuthority(options);
  return openFolder(options, async (folder) => {
    const { timestamp } = await makeParts(folder, options);
    return load(folder, given === undefined ? options : { ...options, given }, timestamp, before);
  });
}

interface Given {
  readonly authority: Authority;
  readonly warnings: readonly string[];
}

async function givenAuthority(options: InstanceOptions): Promise<Given | undefined> {
  const warnings: string[] = [];
  return options.ca && { authority: await existingAuthority(options.ca, options, warnings), warnings };
}

async function makeParts(folder: DataFolder, options: InstanceOptions): Promise<{ timestamp: boolean }> {
  const pemOf = (key: KeyObject): string => writePrivateKey(key, options.random, options.passphrase);
  const [first] = (await readGenerations(folder.path)).ca;
  if (options.ca === undefined && first?.part === 'ca') {
    await providePart(folder, 'ca', async () => {
      if (existsSync(join(folder.path, REQUEST_PART)))
        throw new InstanceError(
          'request_pending',
          `${folder.path} waits for the certificate that "mayfly ca csr" has asked for: hand it over with "mayfly ca import", or remove ${join(folder.path, REQUEST_PART)} for a CA of its own`,
        );
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

async function load(
  folder: DataFolder,
  options: InstanceOptions & { readonly given?: Given },
  hasTimestamp: boolean,
  before: Instance | undefined,
): Promise<Instance> {
  const { path } = folder;
  const warnings = await collect([permissionWarning(path)]);
  const own = ownKeys(folder, options, warnings);
  const generations = await readGenerations(path);
  const now = options.clock.now();
  const parts = {
    ca: signsAt(generations.ca, now).part,
    timestamp: signsAt(generations.timestamp, now).part,
  };
  const authority =
    before?.parts.ca === parts.ca
      ? before.authority
      : await authorityOf(parts.ca, generations, { folder, options, own, warnings });
  if (options.ca !== undefined && parts.ca !== generations.ca[0]?.part)
    warnings.push(
      `the CA in force is ${parts.ca} in ${path}, which has followed the one that the configuration names under ca`,
    );
  const logs = logsOf(generations, now, path);
  if (options.issuesOnly === true) {
    requireDistinct([authority.signer]);
    return {
      authority,
      ...LOG_KEYS_ELSEWHERE,
      trusted: await trustedChains(generations, now, { path, parts, authority, timestamp: undefined }),
      nextActivation: nextActivation(generations, now),
      parts,
      folder: path,
      logs,
      warnings: [],
    };
  }
  const { logSigner, noteSigner } =
    before !== undefined && partOf(before.logs) === partOf(logs)
      ? before
      : await loadLogKeys(own, partOf(logs));
  let timestamp: TimestampMaterial | undefined;
  if (before?.timestamp !== undefined && before.parts.timestamp === parts.timestamp)
    timestamp = before.timestamp;
  else if (hasTimestamp || generations.timestamp.length > 1) {
    const chain = readChain(await read(join(path, parts.timestamp, 'chain.pem')));
    timestamp = { chain, signer: nativeSigner(await own(`${parts.timestamp}/timestamp.key`)) };
  } else {
    warnings.push(
      'there is no timestamp authority: ca/root.key was already gone when it would have been made',
    );
  }
  requireDistinct([authority.signer, logSigner, noteSigner, timestamp?.signer]);
  return {
    authority,
    logSigner,
    noteSigner,
    ...(timestamp && { timestamp }),
    trusted: await trustedChains(generations, now, { path, parts, authority, timestamp }),
    pendingLog: await pendingLogOf(generations, logs, own),
    nextActivation: nextActivation(generations, now),
    parts,
    folder: path,
    logs,
    keysOfLog: (part) => loadLogKeys(own, part),
    warnings,
  };
}

interface Opening {
  readonly folder: DataFolder;
  readonly options: InstanceOptions & { readonly given?: Given };
  readonly own: OwnKeys;
  readonly warnings: string[];
}

/** Of the generation in force: one that the configuration names, or one whose key is in the folder, or where the folder says. */
async function authorityOf(part: string, generations: Generations, opening: Opening): Promise<Authority> {
  const { folder, options, own, warnings } = opening;
  const first = part === generations.ca[0]?.part;
  if (options.given !== undefined && first) {
    warnings.push(...options.given.warnings);
    return options.given.authority;
  }
  if (options.ca !== undefined && first) return existingAuthority(options.ca, options, warnings);
  const files = chainFilesOf(folder.path, part);
  const place = join(folder.path, part, KEY_PLACE);
  if (existsSync(place)) {
    if (options.keyAt === undefined)
      throw new InstanceError('key_unreadable', `${place}: keys elsewhere cannot be used here`);
    const [chain = ''] = files;
    return existingAuthority(options.keyAt(chain, await read(place)), options, warnings);
  }
  return loadAuthority(files, nativeSigner(await own(`${part}/intermediate.key`)), options);
}

/** An instance in memory: all keys but the one of a given `ca` are gone with the process. Throws InstanceError. */
export async function ephemeralInstance(options: EphemeralOptions): Promise<Instance> {
  const warnings: string[] = [];
  let authority: Authority;
  let parent: Parent | undefined;
  if (options.ca === undefined) {
    const { root, rootKey, intermediate, intermediateKey } = await newCa(options);
    authority = await openChain([intermediate, root], nativeSigner(intermediateKey), options);
    parent = { certificate: root, signer: nativeSigner(rootKey) };
  } else authority = await existingAuthority(options.ca, options, warnings);
  const { chain, key } = await makeTimestampAuthority({ ...options, now: options.clock.now() }, parent);
  const timestamp = { chain, signer: nativeSigner(key) };
  return {
    ...ephemeralLogInstance(),
    authority,
    timestamp,
    trusted: { authorities: [{ chain: authority.chain }], timestamps: [{ chain }] },
    parts: { ca: 'ca', timestamp: 'timestamp' },
    warnings,
  };
}

function newCa(options: EphemeralOptions): Promise<NewCa> {
  return makeCa({ ...options, now: options.clock.now() });
}
