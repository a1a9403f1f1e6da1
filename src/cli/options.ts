// Options: the flags that serve and dev share, and how they are laid over the configuration file.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PemFile, TlsSettings } from '../config/listener-settings.ts';
import { SettingsError } from '../config/mistake.ts';
import { parseSettings, type ReadSettings, type Settings } from '../config/settings.ts';
import { LOG_LEVELS } from '../config/signal-schema.ts';
import { bearersIn, type Role, type TransparencySettings } from '../config/transparency-settings.ts';
import type { Kinds } from '../identity/provider.ts';
import { AlgorithmAllowList } from '../key/algorithm.ts';
import { FROZEN_FILE, parseFrozen } from '../node/settings/frozen-issuers.ts';
import { loadKinds, SHIPPED_SETTINGS } from '../node/settings/shipped-configuration.ts';
import { ReadFiles } from '../node/settings/watch.ts';

export interface ServeFlags {
  config?: string;
  data?: string;
  host?: string;
  port?: number;
  grpcPort?: number;
  tlsCertificate?: string;
  tlsKey?: string;
  tlsClientCa?: string;
  grpcTlsCertificate?: string;
  grpcTlsKey?: string;
  metricsHost?: string;
  metricsPort?: number;
  logLevel?: Settings['logLevel'];
  log?: string;
  logPublicKey?: string;
  logBearerFile?: string;
  logRoots?: string;
  role?: Role;
  clientSigningAlgorithms?: string;
  limits?: 'on' | 'off';
  ephemeral?: boolean;
  workers?: number;
  caChain?: string;
  caKey?: string;
  caKeyPassphraseFile?: string;
  keyPassphraseFile?: string;
}

/** `data` is the folder that the command takes where none is given. */
export function addServeFlags(command: Command, data = './mayfly-data'): Command {
  return command
    .option(
      '--config <file>',
      'a Mayfly or Fulcio configuration file (default: ./mayfly.yaml, else the shipped one)',
    )
    .option('--data <dir>', `folder of keys and log (default: ${data})`)
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <n>', 'HTTP port (default: 5555)', portNumber)
    .option('--tls-certificate <file>', 'PEM certificate (and chain) with which REST is served over TLS')
    .option('--tls-key <file>', 'PEM private key of that certificate')
    .option(
      '--tls-client-ca <file>',
      'PEM CA certificates, of one of which clients have to show a certificate',
    )
    .option('--grpc-port <n>', 'gRPC port (default: 5554)', portNumber)
    .option('--grpc-tls-certificate <file>', 'PEM certificate (and chain) with which gRPC is served over TLS')
    .option('--grpc-tls-key <file>', 'PEM private key of that certificate')
    .option('--metrics-host <address>', 'address of the Prometheus port (default: 127.0.0.1)')
    .option('--metrics-port <n>', 'Prometheus port (default: 2112)', portNumber)
    .addOption(
      new Option('--log-level <level>', 'what goes to standard error (default: info)').choices(LOG_LEVELS),
    )
    .option(
      '--log <where>',
      "builtin, none (or ''), or the URL of an RFC 6962 log; several with commas, of which the first that answers serves (default: builtin)",
    )
    .option(
      '--log-public-key <file>',
      'PEM public key of the log at --log URL, with which its SCTs are verified; several with commas, in the same order',
    )
    .option(
      '--log-bearer-file <file>',
      'bearer token of submissions: sent to --log URL, demanded in role log',
    )
    .option('--client-signing-algorithms <list>', 'comma-separated algorithms that client keys may use')
    .addOption(new Option('--limits <state>', 'rate limits').choices(['on', 'off']))
    .option('--ephemeral', 'keep keys and log in memory; everything is gone at exit')
    .option('--ca-chain <file>', 'PEM chain of an existing CA, issuing certificate first, root last')
    .option('--ca-key <file>', 'PEM private key of its first certificate')
    .option('--ca-key-passphrase-file <file>', 'file whose first line decrypts --ca-key')
    .option('--key-passphrase-file <file>', 'file whose first line encrypts the keys that Mayfly makes');
}

/** What serve takes beside those: the parts that an instance plays. */
export function addRoleFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--role <role>', 'issue and log, issue only, or log only (default: all)').choices([
        'all',
        'ca',
        'log',
      ]),
    )
    .option(
      '--log-roots <file>',
      'PEM certificates of the CAs, roots or intermediates, whose precertificates role log takes',
    )
    .option(
      '--workers <n>',
      'processes that issue, beside one that keeps the log (default: 1)',
      workerNumber,
    );
}

function workerNumber(text: string): number {
  const number = Number(text);
  if (!/^\d{1,2}$/.test(text) || number < 1 || number > 64)
    throw new InvalidArgumentError('workers are a number from 1 to 64');
  return number;
}

export function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65535)
    throw new InvalidArgumentError('a port is a number from 0 to 65535');
  return port;
}

export interface LoadedSettings extends ReadSettings {
  readonly fileName: string;
}

/** Throws SettingsError with every mistake, or an Error that names a file that is not there. */
export function loadSettings(
  flags: ServeFlags,
  kinds: Kinds = loadKinds(),
  files = new ReadFiles(),
): LoadedSettings {
  const fileName =
    flags.config ?? (existsSync('mayfly.yaml') ? 'mayfly.yaml' : 'the shipped config/mayfly.yaml');
  const shipped = flags.config === undefined && !existsSync('mayfly.yaml');
  if (shipped) files.readIfThere('mayfly.yaml'); // counts once it is there
  const text = readConfiguration(shipped ? fileURLToPath(SHIPPED_SETTINGS) : fileName, fileName, files);
  const readFile = (path: string): string => files.read(path);
  const { settings, ...read } = parseSettings(text, { fileName, kinds, readFile });
  const effective = withFlags(settings, flags, files);
  const frozen = frozenIn(effective.data, flags, files);
  return { settings: { ...effective, ...(frozen !== undefined && { frozen }) }, ...read, fileName };
}

/** What `mayfly issuer freeze` has noted in the data folder; undefined where nothing was. Throws an Error with a sentence. */
export function frozenIn(
  data: string,
  { ephemeral }: Pick<ServeFlags, 'ephemeral'>,
  files: ReadFiles,
): Settings['frozen'] {
  const file = join(data, FROZEN_FILE);
  const text = ephemeral === true ? undefined : files.readIfThere(file);
  return text === undefined ? undefined : new Set(parseFrozen(text, file).map(({ issuer }) => issuer));
}

const EMPTY = 'is empty; a configuration that trusts no issuer says so: issuers: []';

function readConfiguration(file: string, name: string, files: ReadFiles): string {
  let text: string;
  try {
    text = files.read(file);
  } catch (cause) {
    throw new Error(`the configuration file ${name} cannot be read`, { cause });
  }
  // What a full disk or half a write leaves: it must not take every issuer away from an instance that serves.
  if (text.trim() === '') throw new SettingsError([{ path: '', message: EMPTY, severity: 'error' }], name);
  return text;
}

function withFlags(settings: Settings, flags: ServeFlags, files: ReadFiles): Settings {
  if ((flags.caChain === undefined) !== (flags.caKey === undefined)) {
    throw new Error('--ca-chain and --ca-key go together');
  }
  const { caChain: chain, caKey: key, caKeyPassphraseFile: passphraseFile, keyPassphraseFile } = flags;
  return {
    ...settings,
    data: flags.data ?? settings.data,
    host: flags.host ?? settings.host,
    port: flags.port ?? settings.port,
    grpcPort: flags.grpcPort ?? settings.grpcPort,
    metricsHost: flags.metricsHost ?? settings.metricsHost,
    ...tlsOf(settings, flags, files),
    metricsPort: flags.metricsPort ?? settings.metricsPort,
    workers: flags.workers ?? settings.workers,
    logLevel: flags.logLevel ?? settings.logLevel,
    ...transparencyOf(settings, flags),
    clientSigningAlgorithms: algorithmsOf(flags.clientSigningAlgorithms) ?? settings.clientSigningAlgorithms,
    limits:
      flags.limits === undefined ? settings.limits : { ...settings.limits, enabled: flags.limits === 'on' },
    ...(chain === undefined || key === undefined
      ? {}
      : { ca: { chain, key, ...(passphraseFile === undefined ? {} : { passphraseFile }) } }),
    ...(keyPassphraseFile === undefined ? {} : { keyPassphraseFile }),
  };
}

/** What flags say about TLS. A client CA of the file stays: nobody is let in by a flag for a certificate. */
function tlsOf(
  settings: Settings,
  flags: ServeFlags,
  files: ReadFiles,
): { readonly tls?: TlsSettings; readonly grpcTls?: TlsSettings } {
  const pemIn = (flag: string, file: string): PemFile => {
    try {
      return { file, pem: files.read(file) };
    } catch (cause) {
      throw new Error(`${flag}: the file ${file} cannot be read`, { cause });
    }
  };
  const pair = (prefix: string, certificate?: string, key?: string) => {
    if (certificate === undefined && key === undefined) return undefined;
    if (certificate === undefined || key === undefined)
      throw new Error(`--${prefix}-certificate and --${prefix}-key go together`);
    return { certificate: pemIn(`--${prefix}-certificate`, certificate), key: pemIn(`--${prefix}-key`, key) };
  };
  const { tlsClientCa } = flags;
  const rest = pair('tls', flags.tlsCertificate, flags.tlsKey);
  const grpc = pair('grpc-tls', flags.grpcTlsCertificate, flags.grpcTlsKey);
  const tls = rest === undefined ? settings.tls : { ...settings.tls, ...rest };
  if (tlsClientCa !== undefined && tls === undefined)
    throw new Error('--tls-client-ca needs --tls-certificate and --tls-key');
  return {
    ...(tls !== undefined && {
      tls: { ...tls, ...(tlsClientCa !== undefined && { clientCa: pemIn('--tls-client-ca', tlsClientCa) }) },
    }),
    ...(grpc !== undefined && { grpcTls: { ...settings.grpcTls, ...grpc } }),
  };
}

/** Checked here, before anything is made. Throws an UnknownAlgorithm. */
function algorithmsOf(list: string | undefined): readonly string[] | undefined {
  return list === undefined ? undefined : AlgorithmAllowList.parse(list.split(',')).names;
}

/** What flags say about logging; the rest stays as it is. */
function transparencyOf(settings: Settings, flags: ServeFlags): Partial<TransparencySettings> {
  const { logRoots, logBearerFile, role } = flags;
  return {
    role: role ?? settings.role,
    log: flags.log === undefined ? settings.log : logOf(flags.log, flags.logPublicKey),
    ...(logRoots === undefined ? {} : { logRoots: readFileSync(logRoots, 'utf8') }),
    logBearers: logBearerFile === undefined ? settings.logBearers : bearersFrom(logBearerFile),
  };
}

function logOf(where: string, publicKeyFiles: string | undefined): Settings['log'] {
  if (where === '' || where === 'none') return { kind: 'none' };
  if (where === 'builtin') return { kind: 'builtin' };
  const urls = where.split(/,(?=https?:\/\/)/);
  if (!urls.every((url) => /^https?:\/\/[^/]/.test(url)))
    throw new Error("--log takes builtin, none, '' or an http(s) URL");
  const files = publicKeyFiles?.split(',') ?? [];
  if (files.length !== 0 && files.length !== urls.length)
    throw new Error(`--log-public-key names ${files.length} files for ${urls.length} logs`);
  return {
    kind: 'remote',
    logs: urls.map((url, i) => {
      const file = files[i];
      return file === undefined ? { url } : { url, publicKey: readFileSync(file, 'utf8') };
    }),
  };
}

function bearersFrom(file: string): readonly string[] {
  const tokens = bearersIn(readFileSync(file, 'utf8'));
  if (tokens === undefined)
    throw new Error(`--log-bearer-file: ${file} has to hold a token of at least 16 characters on each line`);
  return tokens;
}
