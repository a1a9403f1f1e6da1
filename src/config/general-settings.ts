// General settings: all that an instance runs with besides whom it trusts.

import type * as z from 'zod';
import { faultOf, type Rate } from '../admission/gcra.ts';
import { DEFAULT_RATES, LIMIT_NAMES, type LimitName, type Override } from '../admission/limit.ts';
import type { Findings } from './findings.ts';
import type { Path } from './mistake.ts';
import type { MapNode } from './node.ts';
import { generalSchema } from './schema.ts';
import { readTransparency, type TransparencySettings } from './transparency-settings.ts';
import { defined, type Reader } from './trust-material.ts';

export interface GeneralSettings extends TransparencySettings {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly grpcPort: number;
  /** Paths of PEM files; without them gRPC is served in clear. */
  readonly grpcTls?: { readonly certificate: string; readonly key: string };
  /** Where clients reach the instance when not at host and port; without a final slash. */
  readonly publicUrl?: string;
  readonly metricsPort: number;
  readonly drainDelayMs: number;
  /** Folder. */
  readonly data: string;
  /** An existing CA; paths of PEM files. */
  readonly ca?: { readonly chain: string; readonly key: string; readonly passphraseFile?: string };
  /** For the keys that Mayfly makes itself. */
  readonly keyPassphraseFile?: string;
  readonly clientSigningAlgorithms: readonly string[];
  readonly errors: 'helpful' | 'terse';
  readonly limits: LimitSettings;
}

export interface LimitSettings {
  readonly enabled: boolean;
  readonly backend: 'memory' | 'redis';
  /** There for backend redis. */
  readonly redisUrl?: string;
  readonly onBackendError: 'local' | 'open' | 'closed';
  readonly defaults: Readonly<Record<LimitName, Rate>>;
  readonly overrides: readonly Override[];
}

type General = z.output<typeof generalSchema>;

/** Undefined where any of it has a mistake. */
export function readGeneralSettings(root: MapNode, reader: Reader): GeneralSettings | undefined {
  const { findings } = reader;
  const general = findings.read(generalSchema, root, []);
  if (general === undefined) return undefined;
  checkPorts(general, findings);
  return {
    host: general.host,
    port: general.port,
    grpcPort: general['grpc-port'],
    ...defined('grpcTls', grpcTlsOf(general, findings)),
    ...defined('publicUrl', general['public-url']),
    metricsPort: general['metrics-port'],
    drainDelayMs: general['drain-delay'],
    data: general.data,
    ...readTransparency(general, reader),
    ...defined('ca', general.ca && caOf(general.ca)),
    ...defined('keyPassphraseFile', general['key-passphrase-file']),
    clientSigningAlgorithms: general['client-signing-algorithms'],
    errors: general.errors,
    limits: limitsOf(general['rate-limits'], findings),
  };
}

function checkPorts(general: General, findings: Findings): void {
  const names = ['port', 'grpc-port', 'metrics-port'] as const;
  for (const [index, name] of names.entries()) {
    const taken = names.slice(0, index).find((other) => general[other] === general[name]);
    if (taken !== undefined && general[name] !== 0)
      findings.error([name], `takes another port than ${taken}`);
  }
}

function grpcTlsOf(general: General, findings: Findings): GeneralSettings['grpcTls'] {
  const { 'grpc-tls-certificate': certificate, 'grpc-tls-key': key } = general;
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  if (certificate !== undefined)
    findings.error(['grpc-tls-key'], 'is missing; grpc-tls-certificate needs it');
  if (key !== undefined) findings.error(['grpc-tls-certificate'], 'is missing; grpc-tls-key needs it');
  return undefined;
}

function caOf(ca: NonNullable<General['ca']>): NonNullable<GeneralSettings['ca']> {
  return { chain: ca.chain, key: ca.key, ...defined('passphraseFile', ca['passphrase-file']) };
}

function limitsOf(limits: General['rate-limits'], findings: Findings): LimitSettings {
  if (limits === 'off') {
    return {
      enabled: false,
      backend: 'memory',
      onBackendError: 'local',
      defaults: DEFAULT_RATES,
      overrides: [],
    };
  }
  if (limits.backend === 'redis' && limits['redis-url'] === undefined) {
    findings.error(
      ['rate-limits', 'redis-url'],
      'is missing; it takes a URL that begins with redis:// or rediss://',
    );
  }
  const defaults = { ...DEFAULT_RATES };
  for (const name of LIMIT_NAMES) {
    const rate = limits.defaults[name];
    if (rate !== undefined) defaults[name] = rateOf(rate, ['rate-limits', 'defaults', name], findings);
  }
  return {
    enabled: true,
    backend: limits.backend,
    ...defined('redisUrl', limits['redis-url']),
    onBackendError: limits['on-backend-error'],
    defaults,
    overrides: limits.overrides.map(({ limit, ids, ...rate }, index): Override => {
      const path = ['rate-limits', 'overrides', index];
      for (const [n, { id }] of ids.entries()) checkId(limit, id, [...path, 'ids', n, 'id'], findings);
      return { limit, ids, rate: rateOf(rate, path, findings) };
    }),
  };
}

function rateOf(
  { burst, count, period }: { readonly burst: number; readonly count: number; readonly period: number },
  path: Path,
  findings: Findings,
): Rate {
  const rate: Rate = { burst, count, periodMs: period };
  const fault = faultOf(rate);
  if (fault !== undefined) findings.error(path, fault);
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
