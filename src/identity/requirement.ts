// Requirement: what a claim must be before it may become part of an identity.

import { Problem } from '../problem.ts';
import { type Claims, type ClaimValue, member, stringClaim } from '../token/claims.ts';
import { isEmailAddress } from './email-address.ts';
import type { Check, ClaimRule } from './kind.ts';
import { UrlError } from './percent-encoding.ts';
import { parseSpiffeId } from './spiffe-id.ts';
import { hostnameOf, parseUrl } from './url.ts';

/** Throws Problem `claim_missing`, `claim_invalid` or `email_unverified`, with the claim as its field. */
export type Requirement = (claims: Claims) => void;

/** The settings of the issuer that requirements refer to. */
export interface Expectation {
  readonly trustDomain: string;
  readonly subject: { readonly scheme: string; readonly hostname: string; readonly text: string };
  readonly skipEmailVerification: boolean;
  readonly constants: ReadonlyMap<string, string>;
}

interface Test {
  accepts(value: ClaimValue, expected: Expectation): boolean;
  /** Completes "The claim must be ...". */
  takes(expected: Expectation): string;
}

const TESTS: Readonly<Record<Exclude<Check, 'verified'>, Test>> = {
  text: {
    accepts: (value) => typeof value === 'string' && value !== '',
    takes: () => 'a string that is not empty',
  },
  scalar: {
    accepts: (value) =>
      typeof value === 'number' || typeof value === 'boolean' || (typeof value === 'string' && value !== ''),
    takes: () => 'a string that is not empty, a number or a boolean',
  },
  'whole-number': {
    accepts: (value) => Number.isInteger(value) && value !== 0,
    takes: () => 'a whole number other than 0',
  },
  strings: {
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every((one) => typeof one === 'string' || one === null),
    takes: () => 'an object whose values are strings',
  },
  'email-address': {
    accepts: (value) => typeof value === 'string' && isEmailAddress(value),
    takes: () => 'an email address with a dot in its domain',
  },
  'spiffe-id': {
    accepts: (value, { trustDomain }) =>
      typeof value === 'string' && parseSpiffeId(value)?.trustDomain === trustDomain,
    takes: ({ trustDomain }) => `a SPIFFE ID in the trust domain ${trustDomain}`,
  },
  'uri-in-domain': {
    accepts: (value, { subject }) => typeof value === 'string' && isUriIn(value, subject),
    takes: ({ subject }) => `a URI with the scheme and host of ${subject.text}`,
  },
  'user-name': {
    accepts: (value) => typeof value === 'string' && !value.includes('!') && !isEmailAddress(value),
    takes: () => 'a user name without ! that is no email address',
  },
};

function isUriIn(text: string, subject: Expectation['subject']): boolean {
  if (isEmailAddress(text)) return false;
  try {
    const url = parseUrl(text);
    return url.scheme === subject.scheme && hostnameOf(url) === subject.hostname;
  } catch (failure) {
    if (failure instanceof UrlError) return false;
    throw failure;
  }
}

export function compileRequirement(name: string, rule: ClaimRule, expected: Expectation): Requirement {
  const read = claimReader(name, rule);
  const field = (rule.path ?? [name]).join('.');
  if (rule.is === 'verified') return verified(field, read, rule.of, expected.skipEmailVerification);
  const test = TESTS[rule.is];
  const { oneOf } = rule;
  const within = expected.constants.get(rule.under ?? '')?.replace(/^[a-z]+:\/\//, '');
  const takes =
    oneOf !== undefined
      ? `one of ${oneOf.join(', ')}`
      : within !== undefined
        ? `text that begins with ${within}/`
        : test.takes(expected);
  const hint = `The claim ${field} must be ${takes}.`;
  return (claims) => {
    const value = read(claims);
    if (value === undefined || value === null) {
      if (rule.default === undefined) throw new Problem('claim_missing', { field, hint });
      return;
    }
    if (value === '' && rule.default !== undefined) return;
    const listed = oneOf === undefined || (typeof value === 'string' && oneOf.includes(value));
    const below = within === undefined || (typeof value === 'string' && value.startsWith(`${within}/`));
    if (listed && below && test.accepts(value, expected)) return;
    throw new Problem(value === '' ? 'claim_missing' : 'claim_invalid', { field, hint });
  };
}

/** Walks to a nested claim. */
export function claimReader(
  name: string,
  { path = [name] }: Pick<ClaimRule, 'path'>,
): (claims: Claims) => ClaimValue | undefined {
  const [top = name, ...rest] = path;
  if (rest.length === 0) return (claims) => claims.get(top);
  return (claims) => rest.reduce<ClaimValue | undefined>(member, claims.get(top));
}

/** `email_verified` as providers write it: a boolean, or a string with an initial of either case. */
const FLAGS: ReadonlyMap<ClaimValue, boolean> = new Map<ClaimValue, boolean>([
  [true, true],
  ['true', true],
  ['True', true],
  [false, false],
  ['false', false],
  ['False', false],
]);

/** Absent means false. A value that is no boolean is refused even where verification is not asked for. */
function verified(
  field: string,
  read: (claims: Claims) => ClaimValue | undefined,
  of: string | undefined,
  skipped: boolean,
): Requirement {
  const hint = `The claim ${field} must be true.`;
  return (claims) => {
    const value = read(claims);
    const flag = value === undefined ? false : FLAGS.get(value);
    if (flag === undefined) throw new Problem('claim_invalid', { field, hint });
    if (flag || skipped || (of !== undefined && (stringClaim(claims, of) ?? '') === '')) return;
    throw new Problem('email_unverified', { field, hint });
  };
}
