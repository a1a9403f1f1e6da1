// Limit settings: the rates of all limits, and the store that counts.

import type * as z from 'zod';
import { faultOf, type Rate } from '../admission/gcra.ts';
import { DEFAULT_RATES, LIMIT_NAMES, type LimitName, type Override } from '../admission/limit.ts';
import type { Findings } from './findings.ts';
import type { rateLimits } from './limit-schema.ts';
import type { Path } from './mistake.ts';
import { defined, type Reader, readFile, readPem } from './trust-material.ts';

export interface LimitSettings {
  readonly enabled: boolean;
  readonly backend: 'memory' | 'redis';
  /** There for backend redis. */
  readonly redis?: RedisPlace;
  readonly onBackendError: 'local' | 'open' | 'closed';
  readonly defaults: Readonly<Record<LimitName, Rate>>;
  readonly overrides: readonly Override[];
}

export interface RedisPlace {
  /** At least one. */
  readonly urls: readonly string[];
  readonly cluster?: boolean;
  readonly username?: string;
  readonly password?: string;
  /** PEM. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Options of the client library, as the operator wrote them. */
  readonly options?: Readonly<Record<string, unknown>>;
}

type Limits = z.output<typeof rateLimits>;

export function readLimits(limits: Limits, reader: Reader): LimitSettings {
  if (limits === 'off') {
    return {
      enabled: false,
      backend: 'memory',
      onBackendError: 'local',
      defaults: DEFAULT_RATES,
      overrides: [],
    };
  }
  const { findings } = reader;
  const defaults = { ...DEFAULT_RATES };
  for (const name of LIMIT_NAMES) {
    const rate = limits.defaults[name];
    if (rate !== undefined) defaults[name] = rateOf(rate, ['rate-limits', 'defaults', name], findings);
  }
  return {
    enabled: limits.enabled,
    backend: limits.backend,
    ...defined('redis', redisOf(limits, reader)),
    onBackendError: limits['on-backend-error'],
    defaults,
    overrides: limits.overrides.map(({ limit, ids, ...rate }, index): Override => {
      const path = ['rate-limits', 'overrides', index];
      if (findings.isSound([...path, 'limit']))
        for (const [n, { id }] of ids.entries()) checkId(limit, id, [...path, 'ids', n, 'id'], findings);
      return { limit, ids, rate: rateOf(rate, path, findings) };
    }),
  };
}

function redisOf(limits: Exclude<Limits, 'off'>, reader: Reader): RedisPlace | undefined {
  const given = limits['redis-url'];
  if (given === undefined) {
    if (limits.backend === 'redis') {
      reader.findings.error(
        ['rate-limits', 'redis-url'],
        'is missing; it takes a URL that begins with redis:// or rediss://',
      );
    }
    return undefined;
  }
  const { 'redis-tls': tls, 'redis-password': passwordFile, 'redis-options': options } = limits;
  const at = (name: string): Path => ['rate-limits', name];
  const password =
    passwordFile && readFile(passwordFile.file, [...at('redis-password'), 'file'], reader)?.split(/\r?\n/)[0];
  const pemOf = (name: 'ca' | 'cert' | 'key'): string | undefined => {
    const pem = tls?.[name];
    return pem === undefined ? undefined : readPem(pem, [...at('redis-tls'), name], reader);
  };
  return {
    urls: typeof given === 'string' ? [given] : given,
    ...defined('cluster', limits['redis-cluster']),
    ...defined('username', limits['redis-username']),
    ...defined('password', password),
    ...defined(
      'tls',
      tls && {
        ...defined('ca', pemOf('ca')),
        ...defined('cert', pemOf('cert')),
        ...defined('key', pemOf('key')),
      },
    ),
    ...defined('options', options),
  };
}

function rateOf(
  { burst, count, period }: { readonly burst: number; readonly count: number; readonly period: number },
  path: Path,
  findings: Findings,
): Rate {
  const rate: Rate = { burst, count, periodMs: period };
  const fault = faultOf(rate);
  if (fault !== undefined && findings.isSound(path)) findings.error(path, fault);
  return rate;
}

function checkId(limit: LimitName, id: string, path: Path, findings: Findings): void {
  const named = limit === 'certificates-per-issuer' || limit === 'failures-per-address';
  if (named === id.includes('#')) {
    const what = limit === 'failures-per-address' ? 'an address' : 'the URL of an issuer, bare';
    findings.error(
      path,
      named ? `takes ${what}` : 'takes the URL of an issuer, #, and whom of its people it is about',
    );
  }
}
