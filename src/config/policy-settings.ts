// Policy settings: a claim policy as an operator writes it, compiled, and tried out on claims as the issuer's kind has them.

import type { Check, Kind, TextRule } from '../identity/kind.ts';
import { compileCel } from '../policy/cel.ts';
import type { Policy } from '../policy/policy.ts';
import { type Rule, requireClaim } from '../policy/rule.ts';
import { type Claims, type ClaimValue, member } from '../token/claims.ts';
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
  const look = (claim: string, at: Path, askedFor = false): void => {
    if (kind !== undefined) lookUp(claim, kind, askedFor, at, findings);
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
      const { named, askedFor } = compiled.claims;
      for (const claim of named) look(claim, at, askedFor.has(claim));
      rules.push(compiled.rule);
    }
  }
  return { mode: fields.mode, rules };
}

/**
 * A name close to a known one is a mistake where all claims of the kind are known, as the rule would never hold; a rule
 * that asks whether the claim is there says that it may not be.
 */
function lookUp(claim: string, kind: Kind, askedFor: boolean, path: Path, findings: Findings): void {
  const known = claimNames(kind);
  if (known.has(claim) || kind.otherClaims?.some((name) => isFamilyOf(name, claim)) === true) return;
  const hint = suggestion(claim, known);
  const message = `no token of this type is known to have the claim ${claim}`;
  const listed = kind.otherClaims !== undefined;
  if (listed && hint !== '' && !askedFor) {
    const remedy = `where tokens do have it, a cel rule may ask has(claims.${claim}) first`;
    findings.error(path, `${message}${hint} (${remedy})`);
  } else if (hint !== '' || (listed && !askedFor)) findings.warn(path, message + hint);
}

const REGISTERED = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti']; // RFC 7519 section 4.1

/** `repo_property_*` is the family of all claims that begin so; whoever runs the issuer names its members. */
function isFamilyOf(name: string, claim: string): boolean {
  return name.endsWith('*') && claim.startsWith(name.slice(0, -1));
}

/** Those that a kind checks, writes into certificates or counts by; tokens may have others. */
function claimNames({
  claims,
  otherClaims = [],
  san,
  extensions,
  challenge,
  quota,
}: Kind): ReadonlySet<string> {
  const rules = [...(san === undefined ? [] : [san.value]), ...extensions.values()];
  return new Set([
    ...REGISTERED,
    ...Array.from(claims, ([name, { path }]) => path?.[0] ?? name),
    ...otherClaims.filter((name) => !name.endsWith('*')),
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
  for (const [name, { is, path = [name] }] of kind?.claims ?? []) {
    const value = SAMPLES[is];
    const [first = name, ...rest] = path;
    if (value !== undefined) sample.set(first, withMember(sample.get(first), rest, value));
  }
  return sample;
}

/** `value` below `path`, beside what is there. */
function withMember(whole: ClaimValue | undefined, path: readonly string[], value: ClaimValue): ClaimValue {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  const others = typeof whole === 'object' && !Array.isArray(whole) ? whole : {};
  return { ...others, [name]: withMember(member(whole, name), rest, value) };
}
