// Transparency settings: what an instance does about logging: its role, its logs, whom it lets submit, who witnesses it.

import type * as z from 'zod';
import { decodePem } from '../encoding/pem.ts';
import { holdsCertificates } from './certificates.ts';
import type { Findings } from './findings.ts';
import type { Path } from './mistake.ts';
import type { transparencySchema } from './transparency-schema.ts';
import { defined, type Reader, readFile, readPem } from './trust-material.ts';

export interface TransparencySettings {
  readonly role: Role;
  readonly log: LogSettings;
  /** For role log: CA certificates in PEM. */
  readonly logRoots?: string;
  /** Of submissions: each is accepted in role log, the first is sent in role ca. */
  readonly logBearers: readonly string[];
  readonly witnesses: readonly WitnessSettings[];
}

/** Issue and log, issue only, or log only. */
export type Role = 'all' | 'ca' | 'log';

export type LogSettings =
  /** In the data folder, or in a bucket. */
  | { readonly kind: 'builtin'; readonly s3?: S3Settings }
  | { readonly kind: 'none' }
  /** In order of preference; at least one. */
  | { readonly kind: 'remote'; readonly logs: readonly RemoteLogSettings[] };

/** A bucket of an object store that speaks S3. */
export interface S3Settings {
  /** Scheme and host. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  /** Empty, or ends in a slash. */
  readonly prefix: string;
  /** From the environment where they are not set. */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
}

export interface RemoteLogSettings {
  readonly url: string;
  /** PEM. */
  readonly publicKey?: string;
  readonly bearer?: string;
  readonly tls?: ClientTls;
  readonly deadlineMs?: number;
}

/** Of a client, each in PEM. */
export interface ClientTls {
  /** Whom to trust instead of the system's CAs. */
  readonly ca?: string;
  /** To show to a server that asks; with the key of the same name. */
  readonly cert?: string;
  readonly key?: string;
}

export interface WitnessSettings {
  readonly name: string;
  readonly url: string;
  /** Verifier key: name+hash+base64. */
  readonly key: string;
}

type Transparency = z.output<typeof transparencySchema>;

export function readTransparency(general: Transparency, reader: Reader): TransparencySettings {
  return {
    role: general.role,
    log: logOf(general.log, reader),
    ...defined('logRoots', logRootsOf(general['log-roots'], reader)),
    logBearers: bearersOf(general['log-bearer'], ['log-bearer'], reader),
    witnesses: witnessesOf(general.witnesses, reader.findings),
  };
}

function logOf(log: Transparency['log'], reader: Reader): LogSettings {
  if (log === 'builtin') return { kind: 'builtin' };
  if (log === 'none' || log === '') return { kind: 'none' };
  if (typeof log === 'object' && 's3' in log) return { kind: 'builtin', s3: s3Of(log.s3, reader) };
  if (!Array.isArray(log)) return { kind: 'remote', logs: [remoteLogOf(log, ['log'], reader)] };
  return { kind: 'remote', logs: log.map((one, i) => remoteLogOf(one, ['log', i], reader)) };
}

function s3Of(s3: S3, reader: Reader): S3Settings {
  const { bucket, region, prefix } = s3;
  const line = (key: 'access-key-id' | 'secret-access-key'): string | undefined => {
    const given = s3[key];
    if (given === undefined) return undefined;
    const at = ['log', 's3', key];
    const [first] = (readPem(given, at, reader) ?? 'unread').split(/\r?\n/);
    if (!first) reader.findings.error(at, 'is empty');
    return first;
  };
  return {
    endpoint: s3.endpoint ?? `https://s3.${region}.amazonaws.com`,
    bucket,
    region,
    prefix,
    ...defined('accessKeyId', line('access-key-id')),
    ...defined('secretAccessKey', line('secret-access-key')),
  };
}

function remoteLogOf(log: RemoteLog, at: Path, reader: Reader): RemoteLogSettings {
  if (typeof log === 'string') return { url: log };
  const given = log['public-key'];
  const publicKey = given === undefined ? undefined : readPem(given, [...at, 'public-key'], reader);
  if (publicKey !== undefined && !decodePem(publicKey).some(({ label }) => label === 'PUBLIC KEY')) {
    reader.findings.error([...at, 'public-key'], 'takes a PUBLIC KEY in PEM');
  }
  const [bearer] = bearersOf(log.bearer, [...at, 'bearer'], reader);
  return {
    url: log.url,
    ...defined('publicKey', publicKey),
    ...defined('bearer', bearer),
    ...defined('tls', log.tls && clientTlsOf(log.tls, log.url, [...at, 'tls'], reader)),
    ...defined('deadlineMs', log.deadline),
  };
}

function clientTlsOf(given: GivenTls, url: string, at: Path, reader: Reader): ClientTls {
  const { findings } = reader;
  if (!url.startsWith('https:')) findings.error(at, 'needs a URL that begins with https://');
  if (given.cert !== undefined && given.key === undefined)
    findings.error([...at, 'key'], 'is missing; cert needs it');
  if (given.key !== undefined && given.cert === undefined)
    findings.error([...at, 'cert'], 'is missing; key needs it');
  const read = (name: 'ca' | 'cert' | 'key') => {
    const value = given[name];
    const pem = value === undefined ? undefined : readPem(value, [...at, name], reader);
    if (pem !== undefined && name !== 'key' && !holdsCertificates(pem))
      findings.error([...at, name], 'takes one or more certificates in PEM');
    return defined(name, pem);
  };
  return { ...read('ca'), ...read('cert'), ...read('key') };
}

type GivenTls = NonNullable<Exclude<RemoteLog, string>['tls']>;

type S3 = Extract<Transparency['log'], { readonly s3: unknown }>['s3'];

type RemoteLog =
  | Exclude<Transparency['log'], readonly unknown[] | { readonly s3: unknown }>
  | Extract<Transparency['log'], readonly unknown[]>[number];

function logRootsOf(given: Transparency['log-roots'], reader: Reader): string | undefined {
  const pem = given === undefined ? undefined : readPem(given, ['log-roots'], reader);
  if (pem !== undefined && !holdsCertificates(pem))
    reader.findings.error(['log-roots'], 'takes one or more certificates in PEM');
  return pem;
}

/** The lines of the file, each a token. */
function bearersOf(given: Transparency['log-bearer'], at: Path, reader: Reader): readonly string[] {
  const text = given === undefined ? undefined : readFile(given.file, [...at, 'file'], reader);
  if (text === undefined) return [];
  const tokens = bearersIn(text);
  if (tokens === undefined)
    reader.findings.error(
      [...at, 'file'],
      'takes a file with a token of at least 16 characters on each line',
    );
  return tokens ?? [];
}

/** The bearer tokens in a file, one on each line; undefined when there is none, or one that is too short to be a secret. */
export function bearersIn(text: string): readonly string[] | undefined {
  const tokens = text.split(/\r?\n/).filter((line) => line !== '');
  return tokens.length > 0 && tokens.every((token) => /^[\x21-\x7e]{16,}$/.test(token)) ? tokens : undefined;
}

function witnessesOf(witnesses: Transparency['witnesses'], findings: Findings): readonly WitnessSettings[] {
  for (const [i, { name, key }] of witnesses.entries()) {
    const earlier = witnesses.slice(0, i);
    if (earlier.some((other) => other.name === name))
      findings.error(['witnesses', i, 'name'], 'is taken already');
    if (earlier.some((other) => other.key === key))
      findings.error(['witnesses', i, 'key'], 'is there already');
  }
  return witnesses;
}
