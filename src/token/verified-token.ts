// Verified token: claims that a trusted issuer signed, for us and for now; the first proof of the line.

import { compactVerify } from 'jose';
import type { Instant } from '../clock.ts';
import { Problem } from '../problem.ts';
import type { Claims } from './claims.ts';
import type { Issuer, IssuerDirectory } from './issuer.ts';
import type { CandidateKeys, KeyRequest, KeySets } from './keyset.ts';
import { parseToken } from './unverified-token.ts';
import { checkDistributedClaims, checkSubject, checkTimes, matchAudience } from './validity.ts';

interface Facts {
  readonly issuer: Issuer;
  readonly iss: string;
  readonly claims: Claims;
  readonly expiresAt: Instant;
  readonly audience: string;
  readonly keyThumbprint: string | undefined;
  readonly signed: string;
}

let mint: (facts: Facts) => VerifiedToken;

export class VerifiedToken {
  readonly #signed: string;
  /** The configured entry, the very object that the directory holds. */
  readonly issuer: Issuer;
  readonly iss: string;
  readonly claims: Claims;
  readonly expiresAt: Instant;
  /** The configured audience that matched. */
  readonly audience: string;
  /** The one key that the token is for, base64url SHA-256 of its SubjectPublicKeyInfo; undefined for any key. */
  readonly keyThumbprint: string | undefined;
  private constructor(facts: Facts) {
    this.issuer = facts.issuer;
    this.iss = facts.iss;
    this.claims = facts.claims;
    this.expiresAt = facts.expiresAt;
    this.audience = facts.audience;
    this.keyThumbprint = facts.keyThumbprint;
    this.#signed = facts.signed;
  }

  static {
    mint = (facts) => new VerifiedToken(facts);
  }

  /**
   * Header and payload as they were signed. What recognises a token again must hash this and not the whole token:
   * an ECDSA signature can be rewritten into another valid one.
   */
  get signed(): string {
    return this.#signed;
  }
}

/**
 * Throws a Problem for every token that is not, at `now`, a valid one of a configured issuer. What costs least is
 * checked first: a token that is expired or meant for somebody else never makes us fetch anything.
 */
export async function authenticate(
  token: string,
  issuers: IssuerDirectory,
  keysets: KeySets,
  now: Instant,
): Promise<VerifiedToken> {
  const { alg, kid, iss, claims, signed } = parseToken(token);
  const entries = issuers.find(iss);
  if (entries.length === 0) throw unknownIssuer(iss, issuers);
  const { issuer, ...match } = matchAudience(claims, entries);
  const expiresAt = checkTimes(claims, issuer, now);
  checkSubject(claims);
  checkDistributedClaims(claims);
  await verifySignature(token, { issuer, iss, alg, kid, now }, keysets);
  return mint({ issuer, iss, claims, expiresAt, ...match, signed });
}

/** Problem `issuer_unknown`. */
export function unknownIssuer(iss: string, issuers: IssuerDirectory): Problem {
  const other = iss.endsWith('/') ? iss.slice(0, -1) : `${iss}/`;
  return new Problem('issuer_unknown', {
    field: 'iss',
    hint:
      issuers.find(other).length > 0
        ? 'iss must equal the configured issuer byte for byte; here the two differ in the final slash.'
        : 'iss must equal, byte for byte, one of the issuers that GET /api/v2/configuration lists.',
  });
}

async function verifySignature(token: string, request: KeyRequest, keysets: KeySets): Promise<void> {
  const candidates = await keysets.candidates(request);
  if (await isSignedBy(candidates, token, request)) return;
  const newer = await keysets.candidates(request, candidates);
  if (newer !== candidates && (await isSignedBy(newer, token, request))) return;
  throw new Problem('signature_invalid', {
    field: 'token',
    hint: "The signature must verify with one of the issuer's published keys.",
  });
}

async function isSignedBy(candidates: CandidateKeys, token: string, request: KeyRequest): Promise<boolean> {
  const { keys, algorithms } = candidates;
  if (!algorithms.includes(request.alg))
    throw new Problem('signature_invalid', {
      field: 'alg',
      hint: `The issuer announces ${algorithms.join(', ')}; the token must be signed with one of these.`,
    });
  for (const key of keys) {
    try {
      await compactVerify(token, key, { algorithms: [...algorithms] });
      return true;
    } catch {
      // Not this key's signature, or not a key for it: whatever jose objects to, the token is not verified by it.
    }
  }
  return false;
}
