// Log service: an instance that is a log and nothing else: submissions of the configured CAs, reads for everyone, metrics.

import { readFileSync } from 'node:fs';
import { Counter, type Registry } from 'prom-client';
import { systemClock } from '../clock.ts';
import { contradictionsIn, requireNone } from '../config/contradiction.ts';
import type { Settings } from '../config/settings.ts';
import type { Unreadiness } from '../http/health.ts';
import { logRoutes } from '../http/log.ts';
import { createLogApp, type LogAppDoor } from '../http/log-app.ts';
import { submissionRoutes } from '../http/log-submission.ts';
import { Resubmissions } from '../log/resubmission.ts';
import { VERSION } from '../version.ts';
import { ephemeralLogInstance, type LogInstance, openLogInstance } from './keys/log-instance.ts';
import { signerMetrics } from './keys/signer-metrics.ts';
import { listeningOn } from './listener/address.ts';
import { type FetchHandler, listen } from './listener/http-server.ts';
import { listenerMetrics, listenerOptions, openCapacity, renewal } from './listener/listeners.ts';
import { listenForMetrics } from './listener/metrics-port.ts';
import { callerReader, connectionOf } from './listener/node-caller.ts';
import { hasShownCertificate } from './listener/tls-identity.ts';
import { LOG_PATH, openBuiltinLog, originOf } from './log/builtin-log.ts';
import { intakeOf } from './log/intake-of.ts';
import { type LogMetrics, submissionMetrics } from './log/log-metrics.ts';
import type { MayflyOptions } from './mayfly.ts';
import { reachable, schemeOf, urlOf } from './service.ts';
import { type LoadSettings, Reload, type ReloadCause } from './settings/reload.ts';
import { createRegistry } from './signals/metrics.ts';
import { toldReadiness } from './signals/readiness-log.ts';
import { requestLogOf } from './signals/request-log.ts';
import { sha256 } from './system/native-digest.ts';
import { nativeRandom as random } from './system/native-random.ts';

export interface LogService {
  /** Where the instance answers, without a final slash. */
  readonly url: string;
  /** The log's URL, for submissions and reads, with a final slash. */
  readonly prefix: string;
  readonly metricsUrl: string;
  /** As Reload.run; of the settings TLS is renewed. */
  reload(load: LoadSettings, cause: ReloadCause): boolean;
  /** Resolves once a checkpoint covers the entry. */
  published(index: number): Promise<void>;
  /** Goes unready, waits `delayMs`, finishes what was accepted, publishes the log, lets go of the data folder. */
  close(delayMs?: number): Promise<void>;
}

const clock = systemClock;

/** TLS, and what a log has no use for. */
const LIVE: ReadonlySet<keyof Settings> = new Set([
  'tls',
  'grpcTls',
  'grpcPort',
  'issuers',
  'frozen',
  'clientSigningAlgorithms',
  'limits',
]);

/** Throws an Error with a sentence for the operator when something that was configured cannot be used. */
export async function startLogService(options: MayflyOptions): Promise<LogService> {
  const { settings, logger } = options;
  requireNone(contradictionsIn(settings, options.ephemeral));
  const intake = intakeOf(settings.logRoots ?? '');
  const instance = await instanceOf(options);
  for (const warning of instance.warnings) logger.warn(warning);
  if (settings.logBearers.length === 0 && settings.tls?.clientCa === undefined)
    logger.warn(
      'anyone may submit what the configured CAs have signed; log-bearer asks for a token, tls.client-ca for a certificate',
    );
  await using opened = new AsyncDisposableStack(); // closes all of it when a later part cannot be opened

  let answer: FetchHandler = () => new Response(null, { status: 503, headers: { 'retry-after': '1' } });
  const { host, port } = settings;
  const serve: FetchHandler = (request, environment) => answer(request, environment);
  const listening = { ...listenerOptions(settings, 'REST', logger), openToAll: true };
  const server = await listeningOn('REST', host, port, listen(serve, host, port, listening));
  opened.defer(() => server.close());
  const listeners = new Map([['REST', server]] as const);
  const url = urlOf(host, server.port, schemeOf(settings.tls));
  const publicUrl = settings.publicUrl ?? url;
  const registry = createRegistry(VERSION);
  const origin = originOf(publicUrl);
  const through = signerMetrics(registry);
  const log = await openBuiltinLog({ instance, origin, clock, logger, settings, registry, through });
  opened.defer(() => log.close());

  const resubmissions = new Resubmissions({ log: log.log, signer: instance.logSigner, sha256, clock });
  if (log.onOpened === undefined) await resubmissions.recall(log.reader);
  else log.onOpened(() => resubmissions.recall(log.reader));
  const metrics = metricsOf(registry);
  const requestLog = requestLogOf(logger);
  let draining = false;
  const prefix = `${publicUrl}${LOG_PATH}/`;
  const { errors } = settings;
  const onBug = (cause: unknown): void => logger.error({ err: cause }, 'answered with 500');
  const readiness = async (): Promise<Unreadiness[]> => [
    ...(draining ? [{ component: 'draining', reason: 'the server is shutting down' } as const] : []),
    ...(log.ready ? [] : [{ component: 'log', reason: 'the log cannot be written' } as const]),
  ];
  const told = toldReadiness(readiness, logger);
  const app = createLogApp({
    identity: log.reader.identity,
    path: LOG_PATH,
    prefix,
    routes: [
      submissionRoutes({
        log: resubmissions,
        intake,
        bearers: settings.logBearers,
        hasShownCertificate: settings.tls?.clientCa && certified,
        capacity: openCapacity(settings, logger, registry),
        sha256,
        errors,
        onSubmission: metrics.onSubmission,
        onBug,
      }),
      logRoutes({ reader: log.reader, prefix: () => prefix, roots: () => intake.authorities, errors, onBug }),
    ],
    readiness: told,
    errors,
    callerOf: callerReader(settings).ofRequest,
    onAnswer(answer) {
      metrics.onAnswer(answer);
      requestLog?.answered(answer);
    },
    onBug,
  });
  answer = app.fetch;
  let inForce = settings;
  listenerMetrics(registry, listeners, () => inForce);
  const reload = new Reload({
    running: settings,
    apply(wanted) {
      renewal(settings, wanted, listeners)();
      inForce = wanted;
    },
    logger,
    registry,
    live: LIVE,
  });
  const metricsServer = await listenForMetrics(
    {
      metrics: { contentType: registry.contentType, text: () => registry.metrics() },
      readiness: told,
    },
    settings,
  );
  opened.move();
  return {
    url,
    prefix,
    metricsUrl: `${urlOf(reachable(settings.metricsHost), metricsServer.port)}/metrics`,
    reload: (load, cause) => reload.run(load, cause),
    published: (index) => log.reader.published(index),
    async close(delayMs = 0) {
      draining = true;
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      await server.close();
      await log.close();
      await metricsServer.close();
    },
  };
}

const certified = (environment: unknown): boolean => hasShownCertificate(connectionOf(environment));

async function instanceOf({ settings, kind, ephemeral }: MayflyOptions): Promise<LogInstance> {
  if (ephemeral) return ephemeralLogInstance();
  const { keyPassphraseFile: file } = settings;
  const passphrase = file === undefined ? undefined : (readFileSync(file, 'utf8').split(/\r?\n/)[0] ?? '');
  return openLogInstance({
    folder: settings.data,
    kind,
    clock,
    random,
    ...(passphrase === undefined ? {} : { passphrase }),
  });
}

function metricsOf(registry: Registry): LogMetrics & Pick<LogAppDoor, 'onAnswer'> {
  const requests = new Counter({
    registers: [registry],
    name: 'http_requests_total',
    help: 'HTTP requests by status code and method.',
    labelNames: ['code', 'method'],
  });
  return {
    ...submissionMetrics(registry),
    onAnswer({ method, status }) {
      requests.inc({ code: String(status), method: METHODS.has(method) ? method : 'other' });
    },
  };
}

/** Any token is a legal HTTP method, so the label is closed. */
const METHODS = new Set(['get', 'post', 'head', 'put', 'patch', 'delete', 'options']);
