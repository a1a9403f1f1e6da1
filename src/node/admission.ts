// Admission wiring: the limiter that the configuration asks for, in memory or in Redis, and what counts failures.

import type { Registry } from 'prom-client';
import type { Admitter } from '../admission/admission.ts';
import { BucketKeys } from '../admission/bucket-key.ts';
import { AddressFailures, FailedProofs, type Prover } from '../admission/failures.ts';
import { Limits } from '../admission/limit.ts';
import type { Limiter } from '../admission/limiter.ts';
import { MemoryLimiter } from '../admission/memory-limiter.ts';
import type { Instant } from '../clock.ts';
import type { Settings } from '../config/settings.ts';
import type { Line } from '../issuance.ts';
import type { BackendState } from '../redis/availability.ts';
import { connectRedis, type RedisExtras } from '../redis/connection.ts';
import { RedisLimiter } from '../redis/redis-limiter.ts';
import { backendGauge } from './signals/admission-metrics.ts';
import type { Logger } from './system/logger.ts';
import { sha256 } from './system/native-digest.ts';
import { nativeRandom as random } from './system/native-random.ts';

type AdmissionParts = Pick<Line, 'admitter' | 'failedProofs' | 'addressFailures'>;

export interface OpenAdmission {
  /** The rates and replay rules of these settings, which need not be those it was opened with; buckets and records stay. */
  under(settings: Pick<Settings, 'limits' | 'issuers' | 'workers'>): AdmissionParts;
  /** Counts what another process of the instance has counted. */
  hear(note: FailureNote): void;
  close(): void;
}

/** What a client got wrong, for the other processes of an instance. */
export type FailureNote = { readonly now: Instant } & (
  | { readonly address: string }
  | { readonly prover: Prover }
);

/** What the processes of an instance have in common. */
export interface SharedAdmission {
  /** Instead of one in this process's memory. */
  readonly limiter: Limiter;
  /** Whether this process only keeps what others ask it for: it admits nobody, and leaves Redis to those that do. */
  readonly admitsNobody?: boolean;
  /** Told of failures that were counted here. */
  readonly tell?: (note: FailureNote) => void;
}

export interface AdmissionSurroundings {
  readonly shared?: SharedAdmission | undefined;
  readonly logger: Logger;
  readonly registry: Registry;
}

/**
 * Failed proofs are counted whether limits are on or not: they cost milliseconds. The store is opened when something needs it:
 * with limits off that is a replay rule. Throws an Error for a Redis that cannot be named so.
 */
export async function openAdmission(
  settings: Pick<Settings, 'limits' | 'issuers' | 'workers'>,
  surroundings: AdmissionSurroundings,
): Promise<OpenAdmission> {
  const keys = new BucketKeys(sha256);
  const limits = new Limits();
  const tell = surroundings.shared?.tell;
  const failedProofs = new FailedProofs(
    limits,
    keys,
    undefined,
    tell && (({ issuer, identity }, now) => tell({ prover: { issuer, identity }, now })),
  );
  const addressFailures = new AddressFailures(
    limits,
    undefined,
    tell && ((address, now) => tell({ address, now })),
  );
  let store: Store | undefined;
  if (needsStore(settings)) {
    store = openStore(settings, surroundings);
    await store.ready();
  }
  const storeOf = (wanted: Pick<Settings, 'limits' | 'workers'>): Store => {
    if (store === undefined) {
      store = openStore(wanted, surroundings);
      void store.ready(); // what comes before it answers is decided by this process alone
    }
    return store;
  };
  return {
    under(current) {
      const { enabled, defaults, overrides } = current.limits;
      limits.adopt(defaults, overrides);
      const admitterOf = ({ limiter }: Store): Admitter => {
        const replay = new Map(current.issuers.map((one) => [one.issuer, one.replay]));
        return { limiter, limits: enabled ? limits : undefined, keys, replay, random };
      };
      return {
        admitter: needsStore(current) ? admitterOf(storeOf(current)) : undefined,
        failedProofs,
        addressFailures: enabled ? addressFailures : undefined,
      };
    },
    hear(note) {
      if ('address' in note) addressFailures.count(note.address, note.now);
      else failedProofs.count(note.prover, note.now);
    },
    close: () => store?.close(),
  };
}

function needsStore({ limits, issuers }: Pick<Settings, 'limits' | 'issuers'>): boolean {
  return limits.enabled || issuers.some(({ replay }) => replay !== 'allow');
}

interface Store {
  readonly limiter: Limiter;
  /** Resolves when it answers, or has been given up for now. */
  ready(): Promise<void>;
  close(): void;
}

function openStore(
  { limits: { backend, redis, onBackendError }, workers }: Pick<Settings, 'limits' | 'workers'>,
  { logger, registry, shared }: AdmissionSurroundings,
): Store {
  if (backend === 'memory' || redis === undefined || shared?.admitsNobody === true)
    return { limiter: shared?.limiter ?? new MemoryLimiter(), ready: async () => {}, close: () => {} };
  const gauge = backendGauge(registry);
  gauge.told('available');
  const limiter = new RedisLimiter(connect(redis), {
    onBackendError,
    share: 0.5 / workers, // each of them falls back to a memory of its own
    onState(state: BackendState, cause?: unknown) {
      gauge.told(state);
      if (state === 'available') logger.info('rate limits: Redis answers again');
      else
        logger.warn(
          { err: cause, meanwhile: onBackendError },
          'rate limits: Redis does not answer; going on without it',
        );
    },
  });
  return { limiter, ready: () => limiter.ready(), close: () => limiter.close() };
}

function connect({ options, ...place }: NonNullable<Settings['limits']['redis']>) {
  try {
    // The operator's own options of the library, which alone knows which there are.
    return connectRedis({ ...place, ...(options !== undefined && { options: options as RedisExtras }) });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : '';
    throw new Error(`rate-limits.redis-url cannot be used: ${reason}`, { cause });
  }
}
