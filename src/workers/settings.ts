// Worker settings: the bundled configuration, read when the Worker starts, with the environment's overrides.

import type { Mistake } from '../config/mistake.ts';
import { parseProviders } from '../config/providers.ts';
import { parseSettings, type Settings } from '../config/settings.ts';
import type { Overrides } from './variables.ts';

/** What the build puts into the Worker; see bundled-settings.d.ts. */
export interface SettingsBundle {
  readonly fileName: string;
  readonly text: string;
  readonly files: Readonly<Record<string, string>>;
  readonly providers: string;
}

export interface EdgeSettings extends Settings {
  readonly publicUrl: string;
}

/** Throws SettingsError with every mistake; warnings tell what the file asks for and Workers do not have. */
export function readSettings(
  { fileName, text, providers }: Omit<SettingsBundle, 'files'>,
  readFile: (path: string) => string,
): { readonly settings: Settings; readonly warnings: readonly Mistake[] } {
  const kinds = parseProviders(providers);
  const { settings, warnings } = parseSettings(text, { fileName, kinds, readFile });
  return { settings, warnings: [...warnings, ...unavailable(settings)] };
}

/** Throws an Error with a sentence for the operator. */
export function withOverrides(settings: Settings, overrides: Overrides): EdgeSettings {
  const { LOG, LOG_PUBLIC_KEY, LIMITS, CLIENT_SIGNING_ALGORITHMS } = overrides;
  const publicUrl = (overrides.PUBLIC_URL ?? settings.publicUrl)?.replace(/\/$/, '');
  if (publicUrl === undefined || !URL.canParse(publicUrl))
    throw new Error('public-url, or the variable PUBLIC_URL, must say where clients reach the Worker');
  return {
    ...settings,
    publicUrl,
    log: LOG === undefined ? settings.log : logOf(LOG, LOG_PUBLIC_KEY),
    limits: LIMITS === undefined ? settings.limits : { ...settings.limits, enabled: isOn(LIMITS) },
    clientSigningAlgorithms: CLIENT_SIGNING_ALGORITHMS?.split(',') ?? settings.clientSigningAlgorithms,
  };
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

function unavailable(settings: Settings): Mistake[] {
  const warn = (path: string, message: string): Mistake => ({ path, message, severity: 'warning' });
  const out: Mistake[] = [];
  if (settings.limits.backend === 'redis')
    out.push(warn('rate-limits.backend', 'is not used on Workers, where limits live in Durable Objects'));
  if (settings.ca !== undefined)
    out.push(warn('ca', 'is not read on Workers: the chain and its key are the secrets CA_CHAIN and CA_KEY'));
  for (const { issuer } of settings.issuers)
    if (issuer.caCert !== undefined)
      out.push(
        warn('ca-cert', `cannot be used on Workers, so the keys of ${issuer.name} cannot be fetched there`),
      );
  return out;
}
