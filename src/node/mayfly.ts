// Mayfly: one instance wired for Node: keys, log, issuers, limits and routes; whoever opens it brings the listeners.

import type { Hono } from 'hono';
import type { Authority } from '../certificate/authority.ts';
import { compileProfile } from '../certificate/profile.ts';
import { systemClock } from '../clock.ts';
import type { Settings } from '../config/settings.ts';
import { createApp, type Door } from '../http/app.ts';
import { explainRoutes } from '../http/explain.ts';
import { authorityReadiness, signerReadiness, type Unreadiness } from '../http/health.ts';
import type { Line } from '../issuance.ts';
import { AlgorithmAllowList } from '../key/algorithm.ts';
import type { OpenLog } from '../log/open-log.ts';
import type { Issuer } from '../token/issuer.ts';
import { IssuerKeys } from '../token/issuer-keys.ts';
import { isFrozen, trustOf } from '../trust-in-force.ts';
import { VERSION } from '../version.ts';
import { openAdmission } from './admission.ts';
import { originOf } from './builtin-log.ts';
import { existingCa, firstLine } from './existing-ca.ts';
import { facesOf } from './faces.ts';
import { NodeFetcher } from './fetcher.ts';
import { inClusterCredentials } from './in-cluster.ts';
import { ephemeralInstance, type Instance, openInstance } from './instance.ts';
import type { Logger } from './logger.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { sha256 } from './native-digest.ts';
import { nativeRandom as random } from './native-random.ts';
import { nativeVerifier as verifier } from './native-verifier.ts';
import { callerReader } from './node-caller.ts';
import { openOversight } from './oversight.ts';
import { type LoadSettings, Reload, type ReloadCause } from './reload.ts';
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
  /** As Reload.run: the next request meets the new settings, and those under way end under the old ones. */
  reload(load: LoadSettings, cause: ReloadCause): boolean;
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
  if (settings.frozen !== undefined && settings.frozen.size > 0)
    logger.warn({ frozen: [...settings.frozen] }, 'no certificates for frozen issuers');
  const types = new WeakMap<Issuer, string>(); // of requests under way, too, whose entry is configured no more
  const metrics = createMetrics(VERSION, instance.authority, (issuer) => types.get(issuer) ?? '');
  const { log, builtin, external } = await openTransparency({
    settings,
    instance,
    origin: originOf(publicUrl),
    clock,
    logger,
    registry: metrics.registry,
  });
  await using opened = new AsyncDisposableStack(); // closes the log when a later part cannot be opened
  opened.defer(async () => builtin?.close());
  const oversight = await openOversight(settings, { logger, metrics });
  opened.defer(() => oversight.close());
  const admission = await openAdmission(settings, { logger, registry: metrics.registry });
  opened.defer(() => admission.close());
  const callers = callerReader(settings);
  const keysets = new IssuerKeys({
    fetcher: new NodeFetcher(),
    clock,
    credentials: inClusterCredentials(
      () => inForce.settings.issuers.map(({ issuer }) => issuer),
      (issuer) => types.get(issuer) === 'kubernetes',
    ),
    observe: (issuer, fault) => {
      if (fault !== undefined)
        logger.warn({ issuer: issuer.name, fault: fault.message }, "an issuer's keys could not be fetched");
    },
  });
  const profile = compileProfile(instance.authority);
  const lineUnder = (current: Settings): Line => ({
    trust: trustOf(current),
    keysets,
    keyPolicy: { allowed: AlgorithmAllowList.parse(current.clientSigningAlgorithms), verifier, sha256 },
    ...admission.under(current),
    authority: instance.authority,
    profile,
    log,
    random,
    audit: oversight,
  });
  const stateOf = (current: Settings) => ({
    settings: current,
    line: lineUnder(current),
    listings: current.issuers.filter((one) => !isFrozen(one, current.frozen)).map(({ listing }) => listing),
  });
  let inForce = stateOf(settings);
  const adopt = (state: typeof inForce): void => {
    for (const { issuer, provider } of state.settings.issuers) types.set(issuer, provider.type);
    const issuers = state.settings.issuers.map(({ issuer }) => issuer);
    inForce = state;
    keysets.retain(issuers);
    void keysets.warm(issuers);
  };
  const reload = new Reload({
    running: settings,
    apply: (current) => adopt(stateOf(current)),
    logger,
    registry: metrics.registry,
  });
  const onBug = (cause: unknown): void => logger.error({ err: cause }, 'answered with 500');
  let draining = false;
  const door: Door = {
    line: () => inForce.line,
    listings: () => inForce.listings,
    readiness: async () => [
      ...(draining ? [{ component: 'draining', reason: 'the server is shutting down' } as const] : []),
      ...(await readinessOf(instance.authority, builtin)),
    ],
    callerOf: callers.ofRequest,
    clock,
    get errors() {
      return inForce.settings.errors;
    },
    onAnswer: metrics.onAnswer,
    onBug,
    onUnavailable: ({ reason, cause }) => logger.warn({ reason, err: cause }, 'answered with 503'),
  };
  const issuers = (): Settings['issuers'] => inForce.settings.issuers;
  const faces = facesOf({ instance, builtin, external, issuers, publicUrl, clock, door });
  const { explainBearers } = settings;
  if (explainBearers.length > 0)
    faces.push({ path: '/', routes: explainRoutes(door, explainBearers, sha256) });
  const app = createApp(door, faces);
  const closing = opened.move();
  adopt(inForce);
  return {
    app,
    door,
    metrics,
    reload: (load, cause) => reload.run(load, cause),
    drain() {
      draining = true;
    },
    close: () => closing.disposeAsync(),
  };
}

async function readinessOf(authority: Authority, builtin: OpenLog | undefined): Promise<Unreadiness[]> {
  const log =
    builtin?.ready === false ? [{ component: 'log', reason: 'the log cannot be written' } as const] : [];
  return [...log, ...authorityReadiness(authority, clock.now()), ...(await signerReadiness(authority))];
}

function instanceOf({ settings, kind, ephemeral }: MayflyOptions): Promise<Instance> {
  const { ca: given, keyPassphraseFile } = settings;
  const ca = optional('ca', given && existingCa(given));
  const common = { kind, clock, random, sha256, verifier, ...ca };
  if (ephemeral) return ephemeralInstance(common);
  return openInstance({
    ...common,
    folder: settings.data,
    ...optional('passphrase', passphraseIn(keyPassphraseFile)),
  });
}

function passphraseIn(file: string | undefined): string | undefined {
  return file === undefined ? undefined : firstLine(file);
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
