// Unverified token: a compact JWS taken apart within limits, and not yet believed (RFC 7515 7.1, RFC 7519 7.2).

import { fromBase64Url, fromUtf8 } from '../encoding/bytes.ts';
import { Problem } from '../problem.ts';
import { isSignatureAlgorithm, type SignatureAlgorithm, signatureAlgorithms } from './algorithm.ts';
import { type Claims, type ClaimValue, claimsOf } from './claims.ts';
import { maxIssuerLength } from './issuer.ts';

export const maxTokenLength = 16 * 1024;
const maxHeaderLength = 8 * 1024; // encoded; leaves room for an x5c chain
const maxKidLength = 1024;
const maxDepth = 16; // of arrays and objects inside a claim

export interface UnverifiedToken {
  readonly alg: SignatureAlgorithm;
  /** Undefined where the header has none, or an empty one. */
  readonly kid: string | undefined;
  readonly iss: string;
  readonly claims: Claims;
  /** Header and payload as they were signed: the text before the last dot. */
  readonly signed: string;
}

/** Throws the Problems token_missing, token_too_large, token_malformed, token_type, signature_invalid, claim_missing and claim_invalid. */
export function parseToken(token: string): UnverifiedToken {
  if (token === '') throw new Problem('token_missing', { field: 'token', hint: 'An OIDC token is needed.' });
  if (token.length > maxTokenLength)
    throw new Problem('token_too_large', {
      field: 'token',
      hint: `A token of at most ${maxTokenLength} bytes is accepted.`,
    });
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  // Three segments, counted before anything is decoded (GHSA-f83f-xpx7-ffpw).
  if (first <= 0 || second < 0 || token.indexOf('.', second + 1) >= 0) throw malformed('token', shape);
  if (token.includes('=')) throw malformed('token', shape); // the decoder would let padding pass
  if (first > maxHeaderLength)
    throw malformed('token', `A header of at most ${maxHeaderLength} bytes is accepted.`);

  const { alg, kid } = readHeader(decodeObject(token.slice(0, first), 'token'));
  const claims = readClaims(decodeObject(token.slice(first + 1, second), 'token'));
  const iss = claims.get('iss');
  if (iss === undefined)
    throw new Problem('claim_missing', { field: 'iss', hint: 'The token must name its issuer in iss.' });
  if (typeof iss !== 'string' || iss.length > maxIssuerLength)
    throw new Problem('claim_invalid', {
      field: 'iss',
      hint: `iss must be a string of at most ${maxIssuerLength} characters.`,
    });
  return { alg, kid, iss, claims, signed: token.slice(0, second) };
}

const shape = 'A signed JWT is accepted: three base64url segments without padding, joined by two dots.';

function malformed(field: string, hint: string, cause?: unknown): Problem {
  return new Problem('token_malformed', { field, hint, cause });
}

function decodeObject(segment: string, field: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(fromUtf8(fromBase64Url(segment)));
  } catch (cause) {
    // The parser's message quotes the text, so it stays in the cause's class name only.
    throw malformed(field, shape, cause instanceof Error ? cause.name : undefined);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw malformed(field, shape);
  return parsed as Readonly<Record<string, unknown>>; // any object has string keys
}

/** Own members of an object out of JSON.parse: a member that is absent must not be found on Object.prototype. */
function readHeader(header: Readonly<Record<string, unknown>>): Pick<UnverifiedToken, 'alg' | 'kid'> {
  const own = (name: string) => (Object.hasOwn(header, name) ? header[name] : undefined);
  // RFC 7515 4.1.11: an extension that must be understood, and we understand none.
  if (own('crit') !== undefined) throw malformed('crit', 'No critical header parameter is supported.');
  const typ = own('typ');
  if (typeof typ === 'string' && refusedTypes.has(typ.toLowerCase().replace(/^application\//, '')))
    throw new Problem('token_type', {
      field: 'typ',
      hint: 'An ID token or an access token in JWT form is accepted, not a logout token or a security event.',
    });
  const alg = own('alg');
  if (!isSignatureAlgorithm(alg))
    throw new Problem('signature_invalid', {
      field: 'alg',
      hint: `The token must be signed with one of ${signatureAlgorithms.join(', ')}, as its issuer announces.`,
    });
  const kid = own('kid');
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > maxKidLength))
    throw malformed('kid', `kid must be a string of at most ${maxKidLength} characters.`);
  return { alg, kid: kid === '' ? undefined : kid };
}

/** Logout tokens (OpenID Connect Back-Channel Logout 2.4) and security event tokens (RFC 8417 2.3) are signed by the same keys. */
const refusedTypes: ReadonlySet<string> = new Set(['logout+jwt', 'secevent+jwt']);

function readClaims(payload: Readonly<Record<string, unknown>>): Claims {
  const claims = claimsOf(payload);
  for (const value of claims.values())
    if (!isWithin(maxDepth, value))
      throw malformed('token', `Claims nested at most ${maxDepth} levels deep are accepted.`);
  return claims;
}

function isWithin(depth: number, value: ClaimValue): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  return Object.values(value).every((member) => isWithin(depth - 1, member));
}
