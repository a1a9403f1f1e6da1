// Front: the routes of an instance as one isolate serves them; all that has to be shared stands in Durable Objects.

import { waitUntil } from 'cloudflare:workers';
import type { Hono } from 'hono';
import type { Admitter } from '../admission/admission.ts';
import { BucketKeys } from '../admission/bucket-key.ts';
import { AddressFailures, FailedProofs } from '../admission/failures.ts';
import { Limits } from '../admission/limit.ts';
import { MemoryLimiter } from '../admission/memory-limiter.ts';
import { type Caller, idsOf } from '../caller.ts';
import { compileProfile } from '../certificate/profile.ts';
import { systemClock as clock } from '../clock.ts';
import { pemOf, readAlsoTrusted } from '../http/also-trusted.ts';
import { createApp, type Door } from '../http/app.ts';
import { explainRoutes } from '../http/explain.ts';
import { authorityReadiness, signerReadiness, type Unreadiness } from '../http/health.ts';
import { openApiRoutes } from '../http/openapi.ts';
import type { Line } from '../issuance.ts';
import { AlgorithmAllowList } from '../key/algorithm.ts';
import { logIdOf } from '../log/checkpoint.ts';
import type { Log } from '../log/log.ts';
import { isFrozen, trustOf } from '../trust-in-force.ts';
import { webCryptoVerifier as verifier } from '../web/webcrypto-verifier.ts';
import { createAudit } from './audit.ts';
import { cachedBucket } from './cached-bucket.ts';
import { random, sha256 } from './crypto.ts';
import { EdgeLog } from './edge-log.ts';
import type { Environment } from './environment.ts';
import { externalLogs } from './external-logs.ts';
import { facesOf } from './faces.ts';
import { type Instance, openInstance } from './instance.ts';
import { LOG_NAME } from './log-service.ts';
import { reportError } from './report.ts';
import type { EdgeSettings } from './settings.ts';
import { ShardedLimiter } from './sharded-limiter.ts';
import { SharedKeys } from './shared-keys.ts';
import { signerOf } from './signer-choice.ts';

/** Throws an Error with a sentence for the operator when a key or the configuration cannot be used. */
export async function openFront(settings: EdgeSettings, environment: Environment): Promise<Hono> {
  const instance = await openInstance(environment);
  const { authority } = instance;
  const builtin = settings.log.kind === 'builtin' ? await builtinLog(environment) : undefined;
  const external =
    settings.log.kind === 'remote'
      ? externalLogs(settings.log.logs, environment.LOG_BEARER)
      : { log: undefined, known: [] };
  const log: Log | undefined = builtin ?? external.log;
  const line: Line = {
    trust: trustOf(settings),
    // All isolates ask the same object about an issuer, so its limits and cooldowns count once for the deployment.
    keysets: new SharedKeys(async (query) => environment.KEYS_OBJECT.getByName(query.url).candidates(query)),
    keyPolicy: { allowed: AlgorithmAllowList.parse(settings.clientSigningAlgorithms), verifier, sha256 },
    ...admissionOf(settings, environment),
    authority,
    profile: compileProfile(authority),
    log,
    random,
    audit: createAudit({ settings: settings.audit, dataset: environment.ISSUANCES, write: console.log }),
  };
  const onBug = (cause: unknown): void => reportError('answered with 500', cause);
  const listings = settings.issuers
    .filter((one) => !isFrozen(one, settings.frozen))
    .map(({ listing }) => listing);
  const also = readAlsoTrusted(settings.alsoTrusted);
  const chains = pemOf([{ chain: authority.chain }, ...also.authorities]);
  const door: Door = {
    line: () => line,
    listings: () => listings,
    chains: () => chains,
    readiness: () => readinessOf(instance, builtin),
    callerOf,
    clock,
    errors: settings.errors,
    onBug,
  };
  const faces = facesOf({ settings, instance, builtin, external: external.known, also, clock, onBug });
  if (settings.explainBearers.length > 0)
    faces.push({ path: '/', routes: explainRoutes(door, settings.explainBearers, sha256) });
  const parts = [
    ...(['issuing', 'trust', 'metrics'] as const),
    ...(instance.timestamp === undefined ? [] : (['timestamp'] as const)),
    ...(builtin === undefined ? [] : (['log'] as const)),
    ...(settings.explainBearers.length === 0 ? [] : (['explain'] as const)),
  ];
  faces.push({ path: '/', routes: openApiRoutes({ url: settings.publicUrl, parts }) });
  return createApp(door, faces);
}

/** The platform writes this header itself and lets no client do so. */
function callerOf({ headers }: Request): Caller {
  const { requestId = crypto.randomUUID(), traceId } = idsOf(headers);
  return { address: headers.get('cf-connecting-ip') ?? undefined, requestId, traceId };
}

async function builtinLog(environment: Environment): Promise<EdgeLog> {
  const { publicKey } = await signerOf(environment, 'LOG_KEY');
  return new EdgeLog({
    find: () => environment.LOG_OBJECT.getByName(LOG_NAME),
    get: cachedBucket(environment.LOG_BUCKET, waitUntil),
    publicKey,
    logId: logIdOf(sha256, publicKey),
    now: () => Date.now(),
    onError: (cause) => reportError("the log's object does not answer", cause),
  });
}

function admissionOf(
  settings: EdgeSettings,
  { LIMIT_OBJECT }: Environment,
): Pick<Line, 'admitter' | 'failedProofs' | 'addressFailures'> {
  const { enabled, defaults, overrides, onBackendError } = settings.limits;
  const keys = new BucketKeys(sha256);
  const limits = new Limits(defaults, overrides);
  // Of this isolate alone: they keep it from work, and an isolate that is not there has none.
  const failedProofs = new FailedProofs(limits, keys);
  const addressFailures = enabled ? new AddressFailures(limits) : undefined;
  const replay = new Map(settings.issuers.map((one) => [one.issuer, one.replay]));
  if (!enabled && settings.issuers.every((one) => one.replay === 'allow'))
    return { admitter: undefined, failedProofs, addressFailures };
  const limiter = new ShardedLimiter({
    shard: (name) => LIMIT_OBJECT.getByName(name),
    onFailure: onBackendError,
    local: new MemoryLimiter({ capacity: 10_000 }),
    onError: (error) => reportError('a shard of the limiter does not answer', error),
  });
  const admitter: Admitter = { limiter, limits: enabled ? limits : undefined, keys, replay, random };
  return { admitter, failedProofs, addressFailures };
}

async function readinessOf({ authority }: Instance, builtin: EdgeLog | undefined): Promise<Unreadiness[]> {
  const log: Unreadiness[] = [];
  await builtin?.reader().catch(() => log.push({ component: 'log', reason: 'the log cannot be written' }));
  return [...log, ...authorityReadiness(authority, clock.now()), ...(await signerReadiness(authority))];
}
