// Library: Mayfly inside another program: its routes for any fetch server, and whole throw-away instances for tests.

import { join } from 'node:path';
import type { Hono } from 'hono';
import { stringify } from 'yaml';
import { parseSettings, type Settings } from '../config/settings.ts';
import type { DevShape } from '../dev/shape.ts';
import type { ClientTrustConfig } from '../trust/client-trust-config.ts';
import type { SigningConfig } from '../trust/signing-config.ts';
import type { TrustedRoot } from '../trust/trusted-root.ts';
import { devIssuers, startDevIssuer } from './dev-issuer.ts';
import { GENERATIONS_FILE } from './keys/generations.ts';
import { type Mayfly, openMayfly } from './mayfly.ts';
import { startService } from './service.ts';
import { loadKinds } from './settings/shipped-configuration.ts';
import { ReadFiles, watchFiles } from './settings/watch.ts';
import { type Logger, silentLogger } from './system/logger.ts';

export { SettingsError } from '../config/mistake.ts';
export { createLogger, silentLogger } from './system/logger.ts';
export type { ClientTrustConfig, DevShape, Logger, SigningConfig, TrustedRoot };

/** What mayfly.yaml holds: its text, YAML or JSON, or the same as an object. */
export type Configuration = string | Readonly<Record<string, unknown>>;

export interface CreateOptions {
  /** Where clients reach the app, such as `https://ca.example.com`; it is the log's name too, so let it stay the same. */
  readonly url: string;
  /** Trusts no issuer unless it names one. Addresses and ports in it are not used. */
  readonly configuration?: Configuration;
  /** Folder of keys and log; what `mayfly ca rotate` and `log rotate` change there is taken up. Left out, they are in memory, and gone with the process. */
  readonly data?: string;
  /** Says nothing unless given. */
  readonly logger?: Logger;
}

export interface EmbeddedMayfly {
  /** For `app.route('/', mayfly.app)` of another Hono app. Clients want it at the root of a host. */
  readonly app: Hono;
  /**
   * For any server that speaks Request and Response. `environment` is what @hono/node-server hands on: without it clients
   * have no address to be told apart by while their tokens are not yet proven.
   */
  fetch(request: Request, environment?: object): Promise<Response>;
  /** Prometheus's text format. */
  metrics(): Promise<string>;
  /** Publishes the log and lets go of the data folder; stop sending requests first. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The routes of an instance, without listeners; TLS, addresses and draining are the server's. Throws SettingsError with
 * every mistake of the configuration, and an Error with a sentence when something that it names cannot be used.
 */
export async function createMayfly(options: CreateOptions): Promise<EmbeddedMayfly> {
  const { url, configuration = {}, data, logger = silentLogger } = options;
  const publicUrl = rootUrl(url);
  const settings = settingsOf(configuration, data);
  const ephemeral = data === undefined;
  const heard = data === undefined ? undefined : generationsIn(data); // before the keys are read: nothing is missed between
  const mayfly = await openMayfly({ settings, kind: 'serve', ephemeral, logger }, publicUrl);
  const stop = heard === undefined ? () => {} : followGenerations(heard, mayfly);
  const close = async (): Promise<void> => {
    stop();
    await mayfly.close();
  };
  return {
    app: mayfly.app,
    fetch: async (request, environment) => mayfly.app.fetch(request, environment),
    metrics: () => mayfly.metrics.text(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** As `mayfly serve` hears of new keys, but for signals, which are the host's. */
function followGenerations(heard: ReadFiles, { rotate }: Pick<Mayfly, 'rotate'>): () => void {
  let files = heard;
  return watchFiles(
    () => files,
    () => {
      files = new ReadFiles();
      for (const path of heard.paths) files.readIfThere(path);
      void rotate('file');
    },
  );
}

function generationsIn(data: string): ReadFiles {
  const files = new ReadFiles();
  files.readIfThere(join(data, GENERATIONS_FILE));
  return files;
}

export interface StartOptions {
  /** Beside the built-in issuers; ports in it are not used. */
  readonly configuration?: Configuration;
  /** Whose tokens `token` makes: `email` (a person) unless given. */
  readonly shape?: DevShape;
  readonly logger?: Logger;
}

export interface TestIssuer {
  /** The exact `iss` of its tokens, and what a verifier names as issuer. */
  readonly url: string;
  /** A token good for ten minutes; `claims` are laid over those of the shape. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>;
}

export interface TestInstance {
  /** Where the certificate API, the timestamp authority and the log answer, without a final slash. */
  readonly url: string;
  /** Where gRPC answers, in clear. */
  readonly grpcUrl: string;
  /** The issuer of `token`. */
  readonly issuer: string;
  /** A token of `issuer`. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>;
  /** All built-in issuers by the shape of their tokens. */
  readonly issuers: Readonly<Record<DevShape, TestIssuer>>;
  /** What a verifier trusts. */
  readonly trustedRoot: TrustedRoot;
  /** What a client signs with. */
  readonly signingConfig: SigningConfig;
  /** Both in one, for sigstore-python. */
  readonly clientTrustConfig: ClientTrustConfig;
  /** Where the log is read, with a final slash: `checkpoint`, `tile/...` and `issuer/...` are below it. */
  readonly logUrl: string;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A whole instance on free ports of the loopback, with its own keys, log and issuers, all in memory. */
export async function startInstance(options: StartOptions = {}): Promise<TestInstance> {
  const { configuration = {}, shape = 'email', logger = silentLogger } = options;
  await using started = new AsyncDisposableStack(); // closes the issuer when the instance cannot start
  const dev = await startDevIssuer(0);
  started.defer(() => dev.server.close());
  const settings = settingsOf(configuration);
  const service = await startService({
    settings: { ...settings, issuers: [...settings.issuers, ...devIssuers(dev.url, loadKinds())] },
    kind: 'dev',
    ephemeral: true,
    logger,
  });
  started.defer(() => service.close());
  const clientTrustConfig = await trustOf(service.url);
  const issuers = issuersOf(dev.url, (which, claims) => dev.issuer.token(which, claims));
  const running = started.move();
  const close = (): Promise<void> => running.disposeAsync();
  return {
    url: service.url,
    grpcUrl: service.grpcUrl,
    issuer: issuers[shape].url,
    token: issuers[shape].token,
    issuers,
    trustedRoot: clientTrustConfig.trustedRoot,
    signingConfig: clientTrustConfig.signingConfig,
    clientTrustConfig,
    logUrl: `${service.url}/log/`,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function settingsOf(configuration: Configuration, data?: string): Settings {
  const text = typeof configuration === 'string' ? configuration : stringify(configuration);
  const { settings } = parseSettings(text, { fileName: 'the configuration', kinds: loadKinds() });
  const free = { host: '127.0.0.1', port: 0, grpcPort: 0, metricsHost: '127.0.0.1', metricsPort: 0 };
  return { ...settings, ...free, ...(data === undefined ? {} : { data }) };
}

function rootUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '')
    return url.origin;
  throw new TypeError('url is the root of a host, such as https://ca.example.com');
}

async function trustOf(url: string): Promise<ClientTrustConfig> {
  const response = await fetch(`${url}/.well-known/mayfly/client_trust_config.json`);
  return (await response.json()) as ClientTrustConfig; // our own document
}

function issuersOf(
  base: string,
  token: (shape: DevShape, claims?: Readonly<Record<string, unknown>>) => Promise<string>,
): Readonly<Record<DevShape, TestIssuer>> {
  const issuer = (shape: DevShape): TestIssuer => ({
    url: `${base}/${shape}`,
    token: (claims) => token(shape, claims),
  });
  return { github: issuer('github'), gitlab: issuer('gitlab'), email: issuer('email') };
}
