// Mayfly: one instance wired for Node: keys, log, issuers, limits and routes; whoever opens it brings the listeners.

import type { Hono } from 'hono';
import type { Limiter } from '../admission/limiter.ts';
import type { Authority } from '../certificate/authority.ts';
import { compileProfile } from '../certificate/profile.ts';
import { systemClock } from '../clock.ts';
import { ofRole, requireNone } from '../config/contradiction.ts';
import type { Settings } from '../config/settings.ts';
import { pemOf, readAlsoTrusted } from '../http/also-trusted.ts';
import { createApp, type Door, type Face } from '../http/app.ts';
import { explainRoutes } from '../http/explain.ts';
import { authorityReadiness, signerReadiness, type Unreadiness } from '../http/health.ts';
import { openApiRoutes } from '../http/openapi.ts';
import type { Line } from '../issuance.ts';
import { AlgorithmAllowList } from '../key/algorithm.ts';
import type { Log } from '../log/log.ts';
import type { OpenLog } from '../log/open-log.ts';
import type { Issuer } from '../token/issuer.ts';
import { IssuerKeys } from '../token/issuer-keys.ts';
import { isFrozen, trustOf } from '../trust-in-force.ts';
import { VERSION } from '../version.ts';
import { type FailureNote, openAdmission, type SharedAdmission } from './admission.ts';
import { asOne } from './as-one.ts';
import { facesOf } from './faces.ts';
import { gatheredKeys } from './gathered-keys.ts';
import { inClusterCredentials } from './in-cluster.ts';
import { caMetrics } from './keys/ca-metrics.ts';
import { caAt, existingCa, passphraseOf } from './keys/existing-ca.ts';
import { ephemeralInstance, type Instance, openInstance } from './keys/instance.ts';
import { Rotation, type RotationCause } from './keys/rotation.ts';
import { signerMetrics } from './keys/signer-metrics.ts';
import { openCapacity } from './listener/listeners.ts';
import { type CallerReader, callerReader } from './listener/node-caller.ts';
import { originOf } from './log/builtin-log.ts';
import { openTransparency, type Transparency } from './log/transparency.ts';
import { type LoadSettings, Reload, type ReloadCause } from './settings/reload.ts';
import { issuerMetrics } from './signals/issuer-metrics.ts';
import { createMetrics, type Metrics } from './signals/metrics.ts';
import { openTracing } from './signals/open-tracing.ts';
import { openOversight } from './signals/oversight.ts';
import { toldReadiness } from './signals/readiness-log.ts';
import { idsIn, requestLogOf } from './signals/request-log.ts';
import { tracedAnswer, tracedCall } from './signals/tracing.ts';
import { NodeFetcher } from './system/fetcher.ts';
import type { Logger } from './system/logger.ts';
import { sha256 } from './system/native-digest.ts';
import { nativeRandom as random } from './system/native-random.ts';
import { nativeVerifier as verifier } from './system/native-verifier.ts';

export interface MayflyOptions {
  readonly settings: Settings;
  readonly kind: 'serve' | 'dev';
  /** Keep nothing on disk. */
  readonly ephemeral: boolean;
  readonly logger: Logger;
  /** Of a process that issues for an instance whose log is another's: what it asks that one for. */
  readonly sequencer?: SequencerPorts;
  /** Of the process that keeps what the others share: where they all count. */
  readonly limiter?: Limiter;
  /** Of the same process: told when keys are in force and in the trust documents that the others are to take up. */
  readonly onRotated?: (cause: RotationCause) => void;
}

export interface SequencerPorts {
  readonly log: Log;
  readonly admission: SharedAdmission;
  /** Why that process is not ready. */
  readiness(): Promise<readonly Unreadiness[]>;
  /** Takes every request that no route here does. */
  readonly face: Face;
}

export interface Mayfly {
  /** The routes of the HTTP port. */
  readonly app: Hono;
  /** What other protocols' routes stand on. */
  readonly door: Door;
  readonly callers: CallerReader;
  readonly metrics: Metrics;
  /** Those in force. */
  settings(): Settings;
  /** The built-in log; undefined where it is elsewhere, or there is none. */
  readonly log: Log | undefined;
  /** As OpenAdmission.hear. */
  hear(note: FailureNote): void;
  /** As Reload.run: the next request meets the new settings, and those under way end under the old ones. */
  reload(load: LoadSettings, cause: ReloadCause): boolean;
  /** As Rotation.run; nothing changes for an instance in memory. */
  rotate(cause: RotationCause): Promise<boolean>;
  /** From now on the instance says that it is not ready, and still answers. */
  drain(): void;
  /** Publishes the log and lets go of the data folder; nothing may be asked after that. */
  close(): Promise<void>;
}

/**
 * What else takes part in a reload: checks what is wanted, and returns what puts it in force. Throws an Error with a
 * sentence where it cannot be used.
 */
export type Prepare = (wanted: Settings) => () => void;

const clock = systemClock;

/**
 * `publicUrl` is where clients reach the routes, without a final slash; it is the log's name too.
 * Throws an Error with a sentence for the operator when something that was configured cannot be used.
 */
export async function openMayfly(
  options: MayflyOptions,
  publicUrl: string,
  prepare: Prepare = () => () => {},
): Promise<Mayfly> {
  const { settings, logger } = options;
  if (settings.role === 'log')
    throw new Error('an instance in role log issues no certificates; mayfly serve runs it');
  requireNone(ofRole(settings));
  const running = await instanceOf(options);
  for (const warning of running.warnings) logger.warn(warning);
  if (settings.frozen !== undefined && settings.frozen.size > 0)
    logger.warn({ frozen: [...settings.frozen] }, 'no certificates for frozen issuers');
  const types = new WeakMap<Issuer, string>(); // of requests under way, too, whose entry is configured no more
  const metrics = createMetrics(VERSION, (issuer) => types.get(issuer) ?? '');
  const { registry } = metrics;
  const through = signerMetrics(registry);
  caMetrics(registry, () => {
    const { authority, timestamp } = rotation.instance;
    return { ca: authority.chain, timestamp: timestamp?.chain };
  });
  const { sequencer } = options;
  const { log, builtin, external, renewal } =
    sequencer !== undefined && settings.log.kind === 'builtin'
      ? withoutReads(sequencer.log)
      : await openTransparency({
          settings,
          instance: running,
          origin: originOf(publicUrl),
          clock,
          logger,
          registry,
          through,
        });
  await using opened = new AsyncDisposableStack(); // closes the log when a later part cannot be opened
  opened.defer(async () => builtin?.close());
  const oversight = await openOversight(settings, { logger, metrics });
  opened.defer(() => oversight.close());
  const shared =
    sequencer?.admission ?? (options.limiter && { limiter: options.limiter, admitsNobody: true });
  const admission = await openAdmission(settings, { logger, registry, shared });
  opened.defer(() => admission.close());
  const capacity = openCapacity(settings, logger, registry, (problem) =>
    metrics.record({ startedAt: clock.now(), caller: {} }, problem),
  );
  const tracing = await openTracing(settings.tracing, process.env, logger);
  opened.defer(async () => tracing?.close());
  const callers = callerReader(settings, tracing);
  const requestLog = requestLogOf(logger);
  const issuersInForce = (): Issuer[] => inForce.settings.issuers.map(({ issuer }) => issuer);
  const countFetch = issuerMetrics({ registry, clock, health: () => keysets.health(issuersInForce()) });
  const keysets: IssuerKeys = new IssuerKeys({
    fetcher: new NodeFetcher(),
    clock,
    credentials: inClusterCredentials(issuersInForce, (issuer) => types.get(issuer) === 'kubernetes'),
    observe: (issuer, fault) => {
      countFetch(issuer, fault);
      if (fault !== undefined)
        logger.warn({ issuer: issuer.name, fault: fault.message }, "an issuer's keys could not be fetched");
    },
  });
  const gathered = gatheredKeys(keysets);
  const inUseOf = (given: Authority) => {
    const authority = { ...given, signer: through(given.signer, 'ca') };
    return { given, authority, profile: compileProfile(authority) };
  };
  let inUse = inUseOf(running.authority);
  const lineUnder = (current: Settings): Line => ({
    trust: trustOf(current),
    keysets: gathered,
    keyPolicy: { allowed: AlgorithmAllowList.parse(current.clientSigningAlgorithms), verifier, sha256 },
    ...admission.under(current),
    authority: inUse.authority,
    profile: inUse.profile,
    log,
    random,
    audit: oversight,
    capacity,
  });
  const stateOf = (current: Settings) => ({
    settings: current,
    also: readAlsoTrusted(current.alsoTrusted),
    line: lineUnder(current),
    listings: current.issuers.filter((one) => !isFrozen(one, current.frozen)).map(({ listing }) => listing),
  });
  let inForce = stateOf(settings);
  const adopt = (state: typeof inForce): void => {
    for (const { issuer, provider } of state.settings.issuers) types.set(issuer, provider.type);
    const issuers = state.settings.issuers.map(({ issuer }) => issuer);
    inForce = state;
    keysets.retain(issuers);
    if (options.limiter === undefined) void keysets.warm(issuers); // else others issue
  };
  const reload = new Reload({
    running: settings,
    apply: (current) => {
      const state = stateOf(current);
      const [renewLogs, renew] = [renewal(current), prepare(current)];
      adopt(state);
      renewLogs();
      renew();
    },
    logger,
    registry,
  });
  const rotation: Rotation = new Rotation({
    running,
    open: (before) => instanceOf(options, before),
    async adopt(next, cause) {
      const { authority } = next;
      if (authority !== inUse.given) {
        inUse = inUseOf(authority);
        adopt(stateOf(inForce.settings));
      }
      options.onRotated?.(cause); // whatever the log says to it
      await builtin?.follow(next);
    },
    clock,
    logger,
    registry,
  });
  opened.defer(() => rotation.close());
  const onBug: Door['onBug'] = (cause, caller = {}) =>
    logger.error({ ...idsIn(caller), err: cause }, 'answered with 500');
  const signer = asOne(() => signerReadiness(inUse.authority)); // a crowd of probes costs one signature
  let draining = false;
  const readiness = async (): Promise<readonly Unreadiness[]> => [
    ...(draining ? [{ component: 'draining', reason: 'the server is shutting down' } as const] : []),
    ...logReadiness(builtin),
    ...authorityReadiness(inUse.authority, clock.now()),
    ...(await signer()),
    ...((await sequencer?.readiness()) ?? []),
  ];
  const door: Door = {
    line: () => inForce.line,
    listings: () => inForce.listings,
    chains: () => pemOf([...rotation.instance.trusted.authorities, ...inForce.also.authorities]),
    // What a worker would say is said by the sequencer.
    readiness: sequencer === undefined ? toldReadiness(readiness, logger) : readiness,
    callerOf: callers.ofRequest,
    clock,
    get errors() {
      return inForce.settings.errors;
    },
    onAnswer(answer) {
      if (options.limiter === undefined) {
        metrics.onAnswer(answer); // else whoever passed the request on counts it
        requestLog?.answered(answer);
      }
      const { trace } = answer.caller;
      // What no route here takes is passed on to the sequencer, and has its span there.
      if (trace !== undefined && (sequencer === undefined || answer.route() !== ''))
        trace.end(tracedAnswer(answer));
    },
    calls: {
      started: metrics.calls.started,
      handled(method, code, milliseconds, caller) {
        metrics.calls.handled(method, code, milliseconds, caller);
        requestLog?.handled(method, code, milliseconds, caller);
        caller.trace?.end(tracedCall(method, code, caller));
      },
    },
    onBug,
    onUnavailable({ code, reason, cause }, caller = {}) {
      if (code === 'overloaded') return; // a flood is told elsewhere
      logger.warn({ ...idsIn(caller), reason, err: cause }, 'answered with 503');
    },
  };
  const issuers = (): Settings['issuers'] => inForce.settings.issuers;
  const { explainBearers } = settings;
  const explaining: Face[] =
    explainBearers.length > 0 ? [{ path: '/', routes: explainRoutes(door, explainBearers, sha256) }] : [];
  const parts = [
    ...(['issuing', 'trust'] as const),
    ...(running.timestamp === undefined ? [] : (['timestamp'] as const)),
    ...(builtin === undefined ? [] : (['log'] as const)),
    ...(explainBearers.length === 0 ? [] : (['explain'] as const)),
  ];
  const faces = (): Face[] => [
    ...facesOf({
      instance: () => rotation.instance,
      builtin,
      external,
      issuers,
      also: () => inForce.also,
      publicUrl,
      clock,
      door,
      through,
    }),
    { path: '/', routes: openApiRoutes({ url: publicUrl, parts }) },
  ];
  const app = createApp(door, [...explaining, ...(sequencer === undefined ? faces() : [sequencer.face])]);
  const closing = opened.move();
  adopt(inForce);
  return {
    app,
    door,
    callers,
    metrics,
    settings: () => inForce.settings,
    log: builtin,
    hear: (note) => admission.hear(note),
    reload: (load, cause) => reload.run(load, cause),
    rotate: (cause) => rotation.run(cause),
    drain() {
      draining = true;
    },
    close: () => closing.disposeAsync(),
  };
}

/** A log that is read elsewhere. */
function withoutReads(log: Log): Transparency {
  return { log, builtin: undefined, external: () => [], renewal: () => () => {} };
}

function logReadiness(builtin: Pick<OpenLog, 'ready'> | undefined): readonly Unreadiness[] {
  return builtin?.ready === false ? [{ component: 'log', reason: 'the log cannot be written' }] : [];
}

async function instanceOf(
  { settings, kind, ephemeral, sequencer }: MayflyOptions,
  before?: Instance,
): Promise<Instance> {
  const { ca: given } = settings;
  const ca = optional('ca', given && existingCa(given));
  const common = { kind, clock, random, sha256, verifier, ...ca };
  if (ephemeral) return before ?? ephemeralInstance(common);
  const folder = {
    folder: settings.data,
    keyAt: caAt,
    issuesOnly: sequencer !== undefined,
    ...optional('passphrase', passphraseOf(settings)),
  };
  return openInstance({ ...common, ...folder }, before);
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
