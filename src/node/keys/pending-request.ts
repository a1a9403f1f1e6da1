// Pending request: the key that an instance has made, or that is made elsewhere, for a CA whose certificate it waits for.

import { createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Authority, openAuthority } from '../../certificate/authority.ts';
import { AuthorityError } from '../../certificate/authority-error.ts';
import type { CaName } from '../../certificate/ca-certificate.ts';
import { readCaCertificate } from '../../certificate/ca-reader.ts';
import { createCaRequest, readCaRequest } from '../../certificate/ca-request.ts';
import { readChain } from '../../certificate/chain.ts';
import { type Instant, systemClock } from '../../clock.ts';
import type { CaSettings } from '../../config/ca-settings.ts';
import { type Bytes, equal, utf8 } from '../../encoding/bytes.ts';
import type { Signer } from '../../key/signer.ts';
import { sha256 } from '../system/native-digest.ts';
import { nativeRandom as random } from '../system/native-random.ts';
import { nativeSigner } from '../system/native-signer.ts';
import { nativeVerifier as verifier } from '../system/native-verifier.ts';
import { InstanceError, makeFolderOf, openDataFolder, providePart, replaceFile } from './data-folder.ts';
import { caAt, firstLine, type KeyPlace } from './existing-ca.ts';
import { type Generations, numberOf, readGenerations } from './generations.ts';
import { REQUEST_PART } from './instance.ts';
import { loadKey, read } from './instance-key.ts';
import { writePrivateKey } from './key-file.ts';
import { transitPublicKey } from './kms-signer.ts';
import { makeLogPart } from './log-instance.ts';
import { type CaCurve, makeEcdsaKey, namesOf } from './new-ca.ts';
import { chainIn, nextTimestamp, pemOfChain } from './next-ca.ts';
import { addGenerations } from './next-generation.ts';
import { pkcs11PublicKey } from './pkcs11-public-key.ts';
import { KEY_PLACE } from './trusted-chains.ts';

const REQUEST = 'request.pem';

export interface RequestOptions {
  readonly folder: string;
  readonly name?: CaName | undefined;
  readonly curve: CaCurve;
  /** Encrypts the keys that are made here. */
  readonly passphrase?: string | undefined;
  /** Of a CA whose key the configuration names; undefined for a key that is made here. */
  readonly place?: KeyPlace | undefined;
}

export interface PendingRequest {
  readonly pem: string;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly keyHash: Bytes;
  /** Whether it has been there before. */
  readonly again: boolean;
}

/**
 * Makes a data folder where there is none, a key unless it is elsewhere, and a request that the key has signed; asked again
 * it answers with the same, unless the key is to be another. Rejects with an Error with a sentence.
 */
export async function requestCa(options: RequestOptions): Promise<PendingRequest> {
  const { folder: at, passphrase, place } = options;
  if (passphrase === '')
    throw new InstanceError(
      'passphrase_empty',
      'the passphrase is empty: give one, or none for plain key files',
    );
  const folder = await openDataFolder(at, 'serve', systemClock.now());
  const { path } = folder;
  const kept = place === undefined ? undefined : `${JSON.stringify(place, null, 2)}\n`;
  if (existsSync(join(path, REQUEST_PART))) {
    const there = await readIfThere(join(path, REQUEST_PART, KEY_PLACE));
    if (there === kept) return pendingIn(path, true);
    throw new Error(
      `${join(path, REQUEST_PART)} is there for another key: import its certificate, or take it back with --discard`,
    );
  }
  const generations = await readGenerations(path);
  const number = Math.max(...generations.ca.map(({ part }) => numberOf(part))) + (hasCa(path) ? 1 : 0);
  const { organization, intermediate: commonName } = namesOf('serve', number);
  const key = place === undefined ? makeEcdsaKey(options.curve) : undefined;
  const signer = key === undefined ? await signerAt(place) : nativeSigner(key);
  const pem = await createCaRequest(options.name ?? { organization, commonName }, signer);
  await makeFolderOf(
    path,
    REQUEST_PART,
    new Map([
      [REQUEST, pem],
      ...(key === undefined
        ? [[KEY_PLACE, kept ?? ''] as const]
        : [['intermediate.key', writePrivateKey(key, random, passphrase)] as const]),
    ]),
  );
  await makeLogPart(folder, { ...optionsAt(path), ...(passphrase !== undefined && { passphrase }) });
  return pendingIn(path, false);
}

/** Takes back a request; the key that was made for it is gone. Resolves whether there was one. */
export async function discardRequest(folder: string): Promise<boolean> {
  const at = join(folder, REQUEST_PART);
  const there = existsSync(at);
  await rm(at, { recursive: true, force: true });
  return there;
}

/** Undefined where there is no such file. */
async function readIfThere(file: string): Promise<string | undefined> {
  return existsSync(file) ? read(file) : undefined;
}

const optionsAt = (folder: string) => ({ folder, kind: 'serve', clock: systemClock, random }) as const;

/** Whether a CA has been made here or handed over before. */
function hasCa(path: string): boolean {
  return existsSync(join(path, 'ca')) || existsSync(join(path, 'ca-1'));
}

async function pendingIn(path: string, again: boolean): Promise<PendingRequest> {
  const pem = await read(join(path, REQUEST_PART, REQUEST));
  const { publicKey } = await readCaRequest(utf8(pem), verifier);
  return { pem, keyHash: sha256(publicKey.spki), again };
}

/** The key of a place, by its own word: there is no certificate yet that would name it. */
async function signerAt(place: KeyPlace | undefined): Promise<Signer> {
  if (place === undefined) throw new TypeError('there is no key');
  const publicKey = await publicKeyAt(place);
  const ca = caAt('', JSON.stringify(place));
  return 'signer' in ca ? ca.signer(publicKey) : nativeSigner(await loadKey(ca.key, ca.passphrase, []));
}

async function publicKeyAt(place: KeyPlace): Promise<Bytes> {
  if ('pkcs11' in place) {
    const { pinFile, ...rest } = place.pkcs11;
    return pkcs11PublicKey({ ...rest, pin: firstLine(pinFile) });
  }
  if ('vault' in place) {
    const { tokenFile, timeoutMs: timeout, namespace, ...rest } = place.vault;
    const token = (): string => firstLine(tokenFile);
    return transitPublicKey({ ...rest, timeout, token, ...(namespace !== undefined && { namespace }) });
  }
  const key = await loadKey(place.key, place.passphraseFile && firstLine(place.passphraseFile), []);
  return new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }));
}

export interface ImportOptions {
  readonly folder: string;
  /** PEM, issuing CA first, root last. */
  readonly chain: string;
  readonly passphrase?: string | undefined;
  /** What the configuration says of an existing CA. */
  readonly ca?: CaSettings | undefined;
  /** When it signs, where another CA is in force; waits to be told unless given. */
  readonly activates?: Instant | undefined;
}

export interface Imported {
  readonly authority: Authority;
  /** `in-force` where there was no CA before; else it is the next. */
  readonly as: 'in-force' | 'next';
  readonly generations: Generations;
  /** Where the chain was written. */
  readonly files: readonly string[];
}

/** Throws AuthorityError for a chain that does not fit the key or breaks a rule, and an Error with a sentence. */
export async function importCa(options: ImportOptions): Promise<Imported> {
  const { folder: at, passphrase, ca } = options;
  const now = systemClock.now();
  const pending = join(at, REQUEST_PART);
  if (!existsSync(pending))
    throw new Error(
      `no request waits in ${at}: make one with "mayfly ca csr", or name the folder with --data`,
    );
  const folder = await openDataFolder(at, 'serve', now);
  const chain = readChain(options.chain);
  const place = await readIfThere(join(pending, KEY_PLACE));
  const signer = await signerFor(folder.path, place, chain, passphrase);
  const authority = await openAuthority(chain, signer, sha256, now, verifier);
  const timestamp = () =>
    nextTimestamp({ kind: 'serve', random, sha256, now }, (key) => writePrivateKey(key, random, passphrase));
  const done = async (
    as: Imported['as'],
    generations: Generations,
    files: readonly string[],
  ): Promise<Imported> => {
    await rm(pending, { recursive: true, force: true });
    return { authority, as, generations, files };
  };

  if (ca !== undefined && !existsSync(ca.chain)) {
    await mkdir(dirname(ca.chain), { recursive: true });
    await replaceFile(dirname(ca.chain), basename(ca.chain), pemOfChain(chain));
    return done('in-force', await readGenerations(folder.path), [ca.chain]);
  }
  if (ca === undefined && !hasCa(folder.path)) {
    const [issuing, ...above] = chain;
    if (issuing === undefined || above.length === 0)
      throw new AuthorityError(
        'link_broken',
        'the chain ends with the intermediate: it has to go on up to the root',
      );
    const key = await read(join(pending, 'intermediate.key'));
    // Before the CA: once that is there, nobody asks for a timestamp authority whose root is away.
    await providePart(folder, 'timestamp', timestamp);
    await providePart(
      folder,
      'ca',
      async () =>
        new Map([
          ['intermediate.pem', pemOfChain([issuing])],
          ['root.pem', pemOfChain(above)],
          ['intermediate.key', key],
        ]),
    );
    const files = ['intermediate.pem', 'root.pem'].map((name) => join(folder.path, 'ca', name));
    return done('in-force', await readGenerations(folder.path), files);
  }
  const generations = await addGenerations(folder.path, now, options.activates, async (making) => {
    const configured = await keepConfigured(folder.path, making.generations, ca);
    const [newest] = making.generations.ca.slice(-1);
    if (
      configured === undefined &&
      newest !== undefined &&
      equal(await firstIn(folder.path, newest.part), chain[0] ?? new Uint8Array())
    )
      throw new Error('that certificate is imported already');
    return {
      ca: new Map([
        ['chain.pem', pemOfChain(chain)],
        place === undefined
          ? (['intermediate.key', await read(join(pending, 'intermediate.key'))] as const)
          : ([KEY_PLACE, place] as const),
      ]),
      timestamp: await timestamp(),
      ...(configured !== undefined && { configured }),
    };
  });
  const part = generations.ca.at(-1)?.part ?? 'ca';
  return done('next', generations, [join(folder.path, part, 'chain.pem')]);
}

async function firstIn(folder: string, part: string): Promise<Bytes> {
  return (await chainIn(folder, part))[0] ?? new Uint8Array();
}

/** The chain of a CA that the configuration names is kept with the others, as the configuration may forget it. */
async function keepConfigured(
  path: string,
  { ca: generations }: Generations,
  ca: CaSettings | undefined,
): Promise<string | undefined> {
  const [first] = generations;
  if (ca === undefined || generations.length > 1 || first?.part !== 'ca') return undefined;
  const part = 'ca-1';
  const chain = pemOfChain(readChain(await read(ca.chain)));
  await rm(join(path, part), { recursive: true, force: true }); // of a crash: nothing names it
  await makeFolderOf(path, part, new Map([['chain.pem', chain]]));
  return part;
}

async function signerFor(
  path: string,
  place: string | undefined,
  chain: readonly Bytes[],
  passphrase: string | undefined,
): Promise<Signer> {
  if (place === undefined)
    return nativeSigner(await loadKey(join(path, REQUEST_PART, 'intermediate.key'), passphrase, []));
  const ca = caAt('the request', place);
  if (!('signer' in ca)) return nativeSigner(await loadKey(ca.key, ca.passphrase, []));
  const [first] = chain;
  if (first === undefined) throw new Error('the chain has no certificate');
  return ca.signer(readCaCertificate(first).spki);
}
