// Identity token: an OIDC token that this client holds, read but not verified; only its claims are ever shown.

import { decodeJwt } from 'jose';
import type { IssuerListing } from '../config/settings.ts';
import { ClientError } from './client-error.ts';

export interface IdentityToken {
  /** The compact JWT: a credential, never to be printed. */
  readonly jwt: string;
  readonly issuer: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Throws ClientError `token_malformed`; `from` says where the token was found. */
export function readIdentityToken(text: string, from: string): IdentityToken {
  const jwt = text.trim();
  const claims = decode(jwt, from);
  const { iss } = claims;
  if (typeof iss !== 'string' || iss === '') throw malformed(`the token from ${from} names no issuer`);
  return { jwt, issuer: iss, claims };
}

/** RFC 7519 section 4.1.3: one text, or several. */
export function audiencesOf({ claims: { aud } }: IdentityToken): readonly string[] {
  return (Array.isArray(aud) ? aud : [aud]).filter((one) => typeof one === 'string');
}

/**
 * What proof of possession is made over: the claim that the instance announces for the token's issuer; where it
 * announces none, the e-mail address of a token that has one, else `sub`. Throws ClientError `token_malformed`.
 */
export function challengeOf({ issuer, claims }: IdentityToken, listings: readonly IssuerListing[]): string {
  const announced = listings.find(({ issuerUrl }) => issuerUrl === issuer)?.challengeClaim;
  const names = announced === undefined || announced === '' ? ['email', 'sub'] : [announced, 'sub'];
  for (const name of names) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (typeof value === 'string' && value !== '') return value;
  }
  throw malformed(`the token of ${issuer} has no claim ${names.join(' or ')}`);
}

function decode(jwt: string, from: string): Readonly<Record<string, unknown>> {
  try {
    return decodeJwt(jwt);
  } catch (cause) {
    const sentence = `what was found in ${from} is no identity token, which is three base64url parts joined by dots`;
    throw malformed(sentence, cause);
  }
}

function malformed(sentence: string, cause?: unknown): ClientError {
  return new ClientError('token_malformed', sentence, cause);
}
