// Policy settings: a claim policy as an operator writes it, compiled, and tried out on claims as the issuer's kind has them.

import type { Check, Kind, TextRule } from '../identity/kind.ts';
import { compileCel } from '../policy/cel.ts';
import type { Policy } from '../policy/policy.ts';
import { type Rule, requireClaim } from '../policy/rule.ts';
import type { Claims, ClaimValue } from '../token/claims.ts';
import type { Findings } from './findings.ts';
import type { PolicyFields } from './issuer-schema.ts';
import type { Path } from './mistake.ts';
import { suggestion } from './nearest.ts';

/** Without the kind, which has a mistake of its own then, names and types are not checked. */
export function readPolicy(
  fields: PolicyFields,
  kind: Kind | undefined,
  path: Path,
  findings: Findings,
): Policy {
  const known = kind === undefined ? undefined : claimNames(kind);
  const look = (claim: string, at: Path): void => {
    if (known === undefined || known.has(claim)) return;
    const hint = suggestion(claim, known);
    if (hint !== '') findings.warn(at, `no token of this type is known to have the claim ${claim}${hint}`);
  };
  const rules: Rule[] = [];
  for (const [claim, values] of Object.entries(fields.require ?? {})) {
    look(claim, [...path, 'require', claim]);
    rules.push(requireClaim(claim, values, fields.message));
  }
  const sample = sampleOf(kind);
  for (const [index, { rule, message }] of (fields.cel ?? []).entries()) {
    const at = [...path, 'cel', index, 'rule'];
    const compiled = compileCel(rule, { name: `cel[${index}]`, message, sample });
    if ('mistake' in compiled) findings.error(at, compiled.mistake);
    else {
      for (const claim of compiled.claims) look(claim, at);
      rules.push(compiled.rule);
    }
  }
  return { mode: fields.mode, rules };
}

const REGISTERED = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti']; // RFC 7519 section 4.1

/** Those that a kind checks, writes into certificates or counts by; tokens may have others. */
function claimNames({ claims, san, extensions, challenge, quota }: Kind): ReadonlySet<string> {
  const rules = [...(san === undefined ? [] : [san.value]), ...extensions.values()];
  return new Set([
    ...REGISTERED,
    ...Array.from(claims, ([name, { path }]) => path?.[0] ?? name),
    ...rules.flatMap(namesIn),
    ...challenge,
    ...[...quota.identity, ...quota.owner].flatMap((source) => ('claim' in source ? [source.claim] : [])),
  ]);
}

function namesIn(rule: TextRule): readonly string[] {
  if (typeof rule === 'object') return Object.values(rule).flatMap((text: string) => namesIn(text));
  if (!rule.includes('{{')) return [rule];
  return Array.from(rule.matchAll(/(?<![\w.])\.(\w+)/g), ([, name = '']) => name);
}

const SAMPLES: Partial<Record<Check, ClaimValue>> = {
  text: 'text',
  'whole-number': 1,
  strings: {},
  'email-address': 'name@example.com',
  'spiffe-id': 'spiffe://example.com/workload',
  'uri-in-domain': 'https://example.com/name',
  'user-name': 'name',
};

/** Claims whose type the kind fixes. */
function sampleOf(kind: Kind | undefined): Claims {
  const sample = new Map<string, ClaimValue>([
    ['iss', 'https://issuer.example.com'],
    ['exp', 1],
  ]);
  for (const [name, { is, path }] of kind?.claims ?? []) {
    const value = SAMPLES[is];
    if (value !== undefined && path === undefined) sample.set(name, value);
  }
  return sample;
}
