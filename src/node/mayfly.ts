// Mayfly: one instance wired for Node: keys, log, issuers, limits and routes; whoever opens it brings the listeners.

import { readFileSync } from 'node:fs';
import type { Hono } from 'hono';
import type { Admitter } from '../admission/admission.ts';
import { BucketKeys } from '../admission/bucket-key.ts';
import { FailedProofs } from '../admission/failures.ts';
import { Limits } from '../admission/limit.ts';
import { MemoryLimiter } from '../admission/memory-limiter.ts';
import type { Authority } from '../certificate/authority.ts';
import { compileProfile } from '../certificate/profile.ts';
import { systemClock } from '../clock.ts';
import type { Settings } from '../config/settings.ts';
import { createApp, type Door } from '../http/app.ts';
import { authorityReadiness, signerReadiness, type Unreadiness } from '../http/health.ts';
import type { Line, Trust } from '../issuance.ts';
import { AlgorithmAllowList } from '../key/algorithm.ts';
import type { OpenLog } from '../log/open-log.ts';
import { IssuerDirectory } from '../token/issuer.ts';
import { IssuerKeys } from '../token/issuer-keys.ts';
import { VERSION } from '../version.ts';
import { facesOf } from './faces.ts';
import { NodeFetcher } from './fetcher.ts';
import { type ExistingCa, ephemeralInstance, type Instance, openInstance } from './instance.ts';
import type { Logger } from './logger.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { sha256 } from './native-digest.ts';
import { nativeRandom as random } from './native-random.ts';
import { nativeVerifier as verifier } from './native-verifier.ts';
import { openTransparency } from './transparency.ts';

export interface MayflyOptions {
  readonly settings: Settings;
  readonly kind: 'serve' | 'dev';
  /** Keep nothing on disk. */
  readonly ephemeral: boolean;
  readonly logger: Logger;
}

export interface Mayfly {
  /** The routes of the HTTP port. */
  readonly app: Hono;
  /** What other protocols' routes stand on. */
  readonly door: Door;
  readonly metrics: Metrics;
  /** From now on the instance says that it is not ready, and still answers. */
  drain(): void;
  /** Publishes the log and lets go of the data folder; nothing may be asked after that. */
  close(): Promise<void>;
}

const clock = systemClock;

/**
 * `publicUrl` is where clients reach the routes, without a final slash; it is the log's name too.
 * Throws an Error with a sentence for the operator when something that was configured cannot be used.
 */
export async function openMayfly(options: MayflyOptions, publicUrl: string): Promise<Mayfly> {
  const { settings, logger } = options;
  const instance = await instanceOf(options);
  for (const warning of instance.warnings) logger.warn(warning);
  const { log, builtin, external } = await openTransparency({
    settings,
    instance,
    origin: `${publicUrl.replace(/^https?:\/\//, '')}/log`,
    clock,
    logger,
  });
  await using opened = new AsyncDisposableStack(); // closes the log when a later part cannot be opened
  opened.defer(async () => builtin?.close());
  const trust = trustOf(settings);
  const metrics = createMetrics(
    VERSION,
    instance.authority,
    (issuer) => trust.providers.get(issuer)?.type ?? '',
  );
  const keysets = new IssuerKeys({
    fetcher: new NodeFetcher(),
    clock,
    observe: (issuer, fault) => {
      if (fault !== undefined)
        logger.warn({ issuer: issuer.name, fault: fault.message }, "an issuer's keys could not be fetched");
    },
  });
  const line: Line = {
    trust,
    keysets,
    keyPolicy: { allowed: AlgorithmAllowList.parse(settings.clientSigningAlgorithms), verifier, sha256 },
    ...admissionOf(settings),
    authority: instance.authority,
    profile: compileProfile(instance.authority),
    log,
    random,
    audit: metrics,
  };
  const onBug = (cause: unknown): void => logger.error({ err: cause }, 'answered with 500');
  let draining = false;
  const door: Door = {
    line: () => line,
    listings: () => settings.issuers.map(({ listing }) => listing),
    readiness: async () => [
      ...(draining ? [{ component: 'draining', reason: 'the server is shutting down' } as const] : []),
      ...(await readinessOf(instance.authority, builtin)),
    ],
    clock,
    errors: settings.errors,
    onAnswer: metrics.onAnswer,
    onBug,
  };
  const { errors, issuers } = settings;
  const app = createApp(
    door,
    facesOf({ instance, builtin, external, issuers, publicUrl, clock, errors, onBug }),
  );
  const closing = opened.move();
  void keysets.warm(issuers.map(({ issuer }) => issuer));
  return {
    app,
    door,
    metrics,
    drain() {
      draining = true;
    },
    close: () => closing.disposeAsync(),
  };
}

function trustOf({ issuers }: Settings): Trust {
  return {
    issuers: new IssuerDirectory(issuers.map(({ issuer }) => issuer)),
    providers: new Map(issuers.map(({ issuer, provider }) => [issuer, provider])),
    policies: new Map(
      issuers.flatMap(({ issuer, policy }) => (policy === undefined ? [] : [[issuer, policy]])),
    ),
  };
}

/** Failed proofs are counted whether limits are on or not: they cost milliseconds. */
function admissionOf(settings: Settings): { admitter: Admitter | undefined; failedProofs: FailedProofs } {
  const keys = new BucketKeys(sha256);
  const limits = new Limits(settings.limits.defaults, settings.limits.overrides);
  const failedProofs = new FailedProofs(limits, keys);
  const replay = new Map(settings.issuers.map((one) => [one.issuer, one.replay]));
  const { enabled } = settings.limits;
  if (!enabled && settings.issuers.every((one) => one.replay === 'allow')) {
    return { admitter: undefined, failedProofs };
  }
  return {
    admitter: { limiter: new MemoryLimiter(), limits: enabled ? limits : undefined, keys, replay, random },
    failedProofs,
  };
}

async function readinessOf(authority: Authority, builtin: OpenLog | undefined): Promise<Unreadiness[]> {
  const log =
    builtin?.ready === false ? [{ component: 'log', reason: 'the log cannot be written' } as const] : [];
  return [...log, ...authorityReadiness(authority, clock.now()), ...(await signerReadiness(authority))];
}

function instanceOf({ settings, kind, ephemeral }: MayflyOptions): Promise<Instance> {
  const { ca: given, keyPassphraseFile } = settings;
  const ca: { ca?: ExistingCa } =
    given === undefined
      ? {}
      : {
          ca: {
            chain: given.chain,
            key: given.key,
            ...optional('passphrase', passphraseIn(given.passphraseFile)),
          },
        };
  const common = { kind, clock, random, sha256, verifier, ...ca };
  if (ephemeral) return ephemeralInstance(common);
  return openInstance({
    ...common,
    folder: settings.data,
    ...optional('passphrase', passphraseIn(keyPassphraseFile)),
  });
}

/** The first line of the file. */
function passphraseIn(file: string | undefined): string | undefined {
  return file === undefined ? undefined : (readFileSync(file, 'utf8').split(/\r?\n/)[0] ?? '');
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
