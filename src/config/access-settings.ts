// Access settings: who stands in front of the instance, what is written down of its decisions, and who may ask for reasons.

import type * as z from 'zod';
import { type ForwardedHeader, parseNetwork } from '../admission/forwarded.ts';
import type { accessSchema } from './access-schema.ts';
import { bearersIn } from './transparency-settings.ts';
import { defined, type Reader, readFile } from './trust-material.ts';

export interface AccessSettings {
  /** Networks, as TrustedProxies takes them. */
  readonly trustedProxies: readonly string[];
  readonly forwardedHeader: ForwardedHeader;
  /** Without it nothing is written down. */
  readonly audit?: AuditSettings;
  /** Tokens that open the explain endpoint; without any there is none. */
  readonly explainBearers: readonly string[];
}

export interface AuditSettings {
  /** Path; standard error where there is none. */
  readonly file?: string;
  /** Nothing is issued that cannot be written down. */
  readonly required: boolean;
  /** Names of claims that each line repeats. */
  readonly claims: readonly string[];
}

export function readAccess(general: z.output<typeof accessSchema>, reader: Reader): AccessSettings {
  const { 'trusted-proxies': trustedProxies, audit } = general;
  for (const [i, network] of trustedProxies.entries()) {
    if (parseNetwork(network) === undefined)
      reader.findings.error(['trusted-proxies', i], 'takes an address or a network, such as 10.0.0.0/8');
  }
  return {
    trustedProxies,
    forwardedHeader: general['forwarded-header'],
    ...defined(
      'audit',
      audit && { ...defined('file', audit.file), required: audit.required, claims: audit.claims },
    ),
    explainBearers: explainBearersOf(general.explain, reader),
  };
}

/** The lines of the file, each a token. */
function explainBearersOf(
  explain: z.output<typeof accessSchema>['explain'],
  reader: Reader,
): readonly string[] {
  const at = ['explain', 'bearer', 'file'];
  const text = explain === undefined ? undefined : readFile(explain.bearer.file, at, reader);
  if (text === undefined) return [];
  const tokens = bearersIn(text);
  if (tokens === undefined)
    reader.findings.error(at, 'takes a file with a token of at least 16 characters on each line');
  return tokens ?? [];
}
