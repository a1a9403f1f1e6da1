// Validity: for whom and for when a token is meant (RFC 7519 section 4.1).

import { type Instant, instantOf } from '../clock.ts';
import { Problem } from '../problem.ts';
import { type Claims, type ClaimValue, member } from './claims.ts';
import type { Issuer } from './issuer.ts';

/** Milliseconds that `nbf` and `iat` may lie ahead of our clock; `exp` has none. */
export const leeway = 300_000;
const endOfTime = 253_402_300_799; // 9999-12-31T23:59:59Z in seconds, the last that X.509 can write

export interface AudienceMatch {
  readonly issuer: Issuer;
  /** As configured. */
  readonly audience: string;
  /** The one key that the token is for, base64url SHA-256 of its SubjectPublicKeyInfo; undefined for any key. */
  readonly keyThumbprint: string | undefined;
}

/**
 * The first entry that wants one of the token's audiences, and that audience.
 * Throws claim_missing, claim_invalid and audience_mismatch.
 */
export function matchAudience(claims: Claims, entries: readonly Issuer[]): AudienceMatch {
  const aud = claims.get('aud');
  const wanted = (): string => `The token must be requested for the audience ${audiencesOf(entries)}.`;
  if (aud === undefined) throw new Problem('claim_missing', { field: 'aud', hint: wanted() });
  const list = (Array.isArray(aud) ? aud : [aud]).filter((one) => typeof one === 'string');
  if (list.length !== (Array.isArray(aud) ? aud.length : 1))
    throw new Problem('claim_invalid', {
      field: 'aud',
      hint: 'aud must be a string or an array of strings.',
    });
  for (const issuer of entries)
    for (const audience of issuer.audiences) {
      const keyThumbprint = issuer.binding === undefined ? undefined : thumbprintIn(list, audience);
      if (issuer.binding === undefined ? list.includes(audience) : keyThumbprint !== undefined)
        return { issuer, audience, keyThumbprint };
    }
  throw new Problem('audience_mismatch', { field: 'aud', hint: wanted() });
}

const THUMBPRINT = /^[\w-]{43}$/;

function thumbprintIn(list: readonly string[], audience: string): string | undefined {
  return list
    .filter((one) => one.startsWith(`${audience}+`))
    .map((one) => one.slice(audience.length + 1))
    .find((rest) => THUMBPRINT.test(rest));
}

function audiencesOf(entries: readonly Issuer[]): string {
  const names = entries.flatMap(({ audiences, binding }) =>
    binding === undefined
      ? audiences
      : audiences.map((audience) => `${audience}+<base64url SHA-256 of the public key in DER>`),
  );
  return [...new Set(names)].map((name) => `'${name}'`).join(' or ');
}

/**
 * When the token expires. Throws claim_missing, claim_invalid, token_expired, token_not_yet_valid and, where the
 * issuer has a maxTokenAge, token_too_old.
 */
export function checkTimes(claims: Claims, issuer: Issuer, now: Instant): Instant {
  const exp = timeClaim(claims, 'exp');
  const nbf = timeClaim(claims, 'nbf');
  const iat = timeClaim(claims, 'iat');
  if (exp === undefined)
    throw new Problem('claim_missing', { field: 'exp', hint: 'The token must say in exp when it expires.' });
  if (exp <= now)
    throw new Problem('token_expired', {
      field: 'exp',
      hint: 'The token has expired; request a fresh one right before signing.',
    });
  if (nbf !== undefined && nbf > now + leeway)
    throw new Problem('token_not_yet_valid', {
      field: 'nbf',
      hint: 'The token is not valid yet; check the clocks of the issuer and of this server.',
    });
  if (issuer.maxTokenAge !== undefined) checkAge(iat, issuer.maxTokenAge, now);
  return exp;
}

function checkAge(iat: Instant | undefined, maxTokenAge: number, now: Instant): void {
  if (iat === undefined)
    throw new Problem('claim_missing', {
      field: 'iat',
      hint: 'The token must say in iat when it was issued.',
    });
  if (iat > now + leeway)
    throw new Problem('token_not_yet_valid', {
      field: 'iat',
      hint: 'The token claims to be issued in the future; check the clocks of the issuer and of this server.',
    });
  if (now - iat > maxTokenAge * 1000)
    throw new Problem('token_too_old', {
      field: 'iat',
      hint: `A token is accepted for ${maxTokenAge} seconds after it was issued; request a fresh one.`,
    });
}

/** A NumericDate (RFC 7519 section 2). JSON can spell infinity as 1e999, and some issuers write milliseconds. */
function timeClaim(claims: Claims, name: string): Instant | undefined {
  const value = claims.get(name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value <= endOfTime))
    throw new Problem('claim_invalid', {
      field: name,
      hint: `${name} must be a number of seconds since 1970.`,
    });
  return instantOf(value * 1000);
}

/** `sub` may be absent, but never anything else than a string (RFC 7519 section 4.1.2). */
export function checkSubject(claims: Claims): void {
  const sub = claims.get('sub');
  if (sub !== undefined && typeof sub !== 'string')
    throw new Problem('claim_invalid', { field: 'sub', hint: 'sub must be a string.' });
}

/**
 * A claim that is kept elsewhere must say where (OpenID Connect Core section 5.6.2). Nothing is fetched from there, so
 * such a claim is absent. Throws claim_invalid.
 */
export function checkDistributedClaims(claims: Claims): void {
  const names = claims.get('_claim_names') ?? {};
  const sources = claims.get('_claim_sources') ?? {};
  const isTold =
    isRecord(names) &&
    isRecord(sources) &&
    Object.values(names).every(
      (source) => typeof source === 'string' && member(sources, source) !== undefined,
    );
  if (!isTold)
    throw new Problem('claim_invalid', {
      field: '_claim_names',
      hint: 'Each source that _claim_names gives must be in _claim_sources.',
    });
}

function isRecord(value: ClaimValue): value is { readonly [name: string]: ClaimValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
