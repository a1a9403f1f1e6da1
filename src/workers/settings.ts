// Worker settings: the bundled configuration, read when the Worker starts, with the environment's overrides.

import type { Mistake } from '../config/mistake.ts';
import { parseSettings, type Settings } from '../config/settings.ts';
import { AlgorithmAllowList } from '../key/algorithm.ts';
import { decodeKinds } from './kinds-wire.ts';
import type { Overrides } from './variables.ts';

/** What the build puts into the Worker; see bundled-settings.d.ts. */
export interface SettingsBundle {
  readonly fileName: string;
  readonly text: string;
  readonly files: Readonly<Record<string, string>>;
  /** As encodeKinds writes them. */
  readonly kinds: string;
}

export interface EdgeSettings extends Settings {
  readonly publicUrl: string;
}

/** Throws SettingsError with every mistake; warnings tell what the file asks for and Workers do not have. */
export function readSettings(
  { fileName, text, kinds }: Omit<SettingsBundle, 'files'>,
  readFile: (path: string) => string,
): { readonly settings: Settings; readonly warnings: readonly Mistake[] } {
  const { settings, warnings } = parseSettings(text, { fileName, kinds: decodeKinds(kinds), readFile });
  return { settings, warnings: [...warnings, ...unavailable(settings)] };
}

/** What the build has checked. Throws SettingsError. */
export function readBundle(bundle: SettingsBundle): Settings {
  return readSettings(bundle, (path) => {
    const text = bundle.files[path];
    if (text === undefined) throw new Error('it was not there when the Worker was built');
    return text;
  }).settings;
}

/** Throws an Error with a sentence for the operator. */
export function withOverrides(settings: Settings, overrides: Overrides): EdgeSettings {
  const { LOG, LIMITS, CLIENT_SIGNING_ALGORITHMS, FROZEN_ISSUERS, EXPLAIN_BEARERS } = overrides;
  const publicUrl = (overrides.PUBLIC_URL ?? settings.publicUrl)?.replace(/\/$/, '');
  if (publicUrl === undefined || !URL.canParse(publicUrl))
    throw new Error('public-url, or the variable PUBLIC_URL, must say where clients reach the Worker');
  if (settings.role === 'log') throw new Error('role log is for Node; a Worker issues');
  const clientSigningAlgorithms = CLIENT_SIGNING_ALGORITHMS?.split(',') ?? settings.clientSigningAlgorithms;
  AlgorithmAllowList.parse(clientSigningAlgorithms);
  return {
    ...settings,
    publicUrl,
    log: LOG === undefined ? settings.log : logOf(LOG, overrides.LOG_PUBLIC_KEY),
    limits: LIMITS === undefined ? settings.limits : { ...settings.limits, enabled: isOn(LIMITS) },
    clientSigningAlgorithms,
    frozen: new Set(wordsIn(FROZEN_ISSUERS)),
    explainBearers: wordsIn(EXPLAIN_BEARERS),
  };
}

function wordsIn(text = ''): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

function logOf(where: string, publicKey: string | undefined): Settings['log'] {
  if (where === '' || where === 'none') return { kind: 'none' };
  if (where === 'builtin') return { kind: 'builtin' };
  if (!/^https?:\/\/[^/]/.test(where)) throw new Error('LOG takes builtin, none, or an http(s) URL');
  return { kind: 'remote', logs: [{ url: where, ...(publicKey !== undefined && { publicKey }) }] };
}

function isOn(state: string): boolean {
  if (state !== 'on' && state !== 'off') throw new Error('LIMITS takes on or off');
  return state === 'on';
}

/** Keys that bring secrets along: bundled, they would stand in the Worker's code for everybody who can read that. */
export function secretsIn(settings: Settings): readonly string[] {
  const { log, logBearers, explainBearers, limits, tls, grpcTls, tracing } = settings;
  const logs = log.kind === 'remote' ? log.logs : [];
  const { redis } = limits;
  const hasUrlPassword = redis?.urls.some((url) => URL.parse(url)?.password) === true;
  return [
    ...(tls === undefined ? [] : ['tls.key']),
    ...(grpcTls === undefined ? [] : ['grpc-tls-key']),
    ...(logBearers.length > 0 ? ['log-bearer'] : []),
    ...(logs.some(({ bearer }) => bearer !== undefined) ? ['log.bearer'] : []),
    ...(logs.some((one) => one.tls?.key !== undefined) ? ['log.tls.key'] : []),
    ...(log.kind === 'builtin' && log.s3 !== undefined ? ['log.s3'] : []),
    ...(explainBearers.length > 0 ? ['explain.bearer'] : []),
    ...(redis?.password !== undefined || redis?.tls !== undefined || hasUrlPassword ? ['rate-limits'] : []),
    ...(Object.keys(tracing?.headers ?? {}).length > 0 ? ['tracing.headers'] : []),
  ];
}

/** What the file asks for and Workers do not have. */
function unavailable({ limits, ca, audit, tracing, issuers }: Settings): Mistake[] {
  const messages: (readonly [path: string, message: string] | undefined)[] = [
    limits.backend === 'redis'
      ? ['rate-limits.backend', 'is not used on Workers, where limits live in Durable Objects']
      : undefined,
    ca && ['ca', 'is not read on Workers: the chain and its key are the secrets CA_CHAIN and CA_KEY'],
    audit?.file === undefined
      ? undefined
      : ['audit.file', 'is not written on Workers: the lines go to Workers Logs'],
    tracing && [
      'tracing',
      'is not read on Workers: the platform sends traces itself (observability in wrangler.jsonc)',
    ],
    audit?.required === true
      ? ['audit.required', 'cannot be kept on Workers: nobody says whether a line has arrived']
      : undefined,
    ...issuers
      .filter(({ issuer }) => issuer.caCert !== undefined)
      .map(
        ({ issuer: { name } }) =>
          [
            'ca-cert',
            `is not used on Workers, where fetch trusts public CAs alone: give the keys of ${name} as jwks`,
          ] as const,
      ),
  ];
  return messages.flatMap((one) =>
    one === undefined ? [] : [{ path: one[0], message: one[1], severity: 'warning' as const }],
  );
}
