// Admission wiring: the limiter that the configuration asks for, in memory or in Redis, and what counts failures.

import type { Registry } from 'prom-client';
import type { Admitter } from '../admission/admission.ts';
import { BucketKeys } from '../admission/bucket-key.ts';
import { AddressFailures, FailedProofs } from '../admission/failures.ts';
import { Limits } from '../admission/limit.ts';
import type { Limiter } from '../admission/limiter.ts';
import { MemoryLimiter } from '../admission/memory-limiter.ts';
import type { Settings } from '../config/settings.ts';
import type { Line } from '../issuance.ts';
import type { BackendState } from '../redis/availability.ts';
import { connectRedis, type RedisExtras } from '../redis/connection.ts';
import { RedisLimiter } from '../redis/redis-limiter.ts';
import { backendGauge } from './admission-metrics.ts';
import type { Logger } from './logger.ts';
import { sha256 } from './native-digest.ts';
import { nativeRandom as random } from './native-random.ts';

type AdmissionParts = Pick<Line, 'admitter' | 'failedProofs' | 'addressFailures'>;

export interface OpenAdmission {
  /** The rates and replay rules of these settings, which need not be those it was opened with; buckets and records stay. */
  under(settings: Pick<Settings, 'limits' | 'issuers'>): AdmissionParts;
  close(): void;
}

export interface AdmissionSurroundings {
  readonly logger: Logger;
  readonly registry: Registry;
}

/** Failed proofs are counted whether limits are on or not: they cost milliseconds. Throws an Error for a Redis that cannot be named so. */
export async function openAdmission(
  settings: Pick<Settings, 'limits'>,
  surroundings: AdmissionSurroundings,
): Promise<OpenAdmission> {
  const keys = new BucketKeys(sha256);
  const limits = new Limits();
  const failedProofs = new FailedProofs(limits, keys);
  const addressFailures = new AddressFailures(limits);
  const { limiter, close } = await openLimiter(settings.limits, surroundings);
  return {
    under({ limits: { enabled, defaults, overrides }, issuers }) {
      limits.adopt(defaults, overrides);
      const replay = new Map(issuers.map((one) => [one.issuer, one.replay]));
      const idle = !enabled && issuers.every((one) => one.replay === 'allow');
      const admitter: Admitter = { limiter, limits: enabled ? limits : undefined, keys, replay, random };
      return {
        admitter: idle ? undefined : admitter,
        failedProofs,
        addressFailures: enabled ? addressFailures : undefined,
      };
    },
    close,
  };
}

async function openLimiter(
  { backend, redis, onBackendError }: Settings['limits'],
  { logger, registry }: AdmissionSurroundings,
): Promise<{ limiter: Limiter; close: () => void }> {
  if (backend === 'memory' || redis === undefined) return { limiter: new MemoryLimiter(), close: () => {} };
  const gauge = backendGauge(registry);
  gauge.told('available');
  const limiter = new RedisLimiter(connect(redis), {
    onBackendError,
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
  await limiter.ready();
  return { limiter, close: () => limiter.close() };
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
