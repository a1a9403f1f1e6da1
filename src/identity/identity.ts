// Identity: what a verified token's claims prove, in the form that a certificate says it.

import { Problem } from '../problem.ts';
import { type Claims, stringClaim } from '../token/claims.ts';
import type { Issuer } from '../token/issuer.ts';
import type { VerifiedToken } from '../token/verified-token.ts';
import { type Attribute, ISSUER, ISSUER_V2, TOKEN_SUBJECT } from './attribute.ts';
import { claimText } from './claim-text.ts';
import { readJsonPath } from './json-path.ts';
import type { Provider } from './provider.ts';
import { type SubjectAltName, subjectAltName } from './subject-alt-name.ts';

/** What limits count by; ids are unique within the issuer. */
export interface Quota {
  /** The token's `iss`. */
  readonly issuer: string;
  /** A stable id of what the certificate is for, such as a repository's number, else the SAN. */
  readonly identity: string;
  /** A stable id of who owns it; absent where the kind knows none. */
  readonly owner?: string;
}

export interface IdentityFacts {
  /** Extensions .1 and .8. */
  readonly issuer: string;
  /** Extension .24; empty where the token has no `sub`. */
  readonly subject: string;
  readonly san: SubjectAltName;
  /** The text that a client signs to prove that it holds its key. */
  readonly challenge: string;
  /** All of them, in the order of emission, none empty. */
  readonly attributes: readonly Attribute[];
  readonly quota: Quota;
}

/** Proof that a trusted issuer vouches for these facts. */
export class Identity implements IdentityFacts {
  readonly #identified = true;
  readonly token: VerifiedToken;
  readonly issuer: string;
  readonly subject: string;
  readonly san: SubjectAltName;
  readonly challenge: string;
  readonly attributes: readonly Attribute[];
  readonly quota: Quota;

  private constructor(token: VerifiedToken, facts: IdentityFacts) {
    this.token = token;
    this.issuer = facts.issuer;
    this.subject = facts.subject;
    this.san = facts.san;
    this.challenge = facts.challenge;
    this.attributes = facts.attributes;
    this.quota = facts.quota;
  }

  /** Throws what `derive` throws; every issuer of the directory must have its provider. */
  static of(token: VerifiedToken, providers: ReadonlyMap<Issuer, Provider>): Identity {
    const provider = providers.get(token.issuer);
    if (provider === undefined) throw new Error(`issuer ${token.issuer.name} has no provider`);
    return new Identity(token, derive(provider, token.iss, token.claims));
  }

  get identified(): boolean {
    return this.#identified;
  }
}

export const identify = Identity.of;

/**
 * Throws Problem `claim_missing`, `claim_invalid` or `email_unverified` for claims that the kind does not accept, and
 * `identity_unencodable`, with the text that Fulcio has for it, for an identity that cannot be written.
 */
export function derive(provider: Provider, iss: string, claims: Claims): IdentityFacts {
  const subject = subjectOf(claims);
  for (const requirement of provider.requirements) requirement(claims);
  const issuer = issuerOf(provider, iss, claims);
  const san = subjectAltName(provider.san.kind, provider.san.value(claims));
  const extensions = new Map<number, string>();
  for (const { extension, value } of provider.extensions) extensions.set(extension, value(claims));
  if (issuer === '')
    throw new Problem('identity_unencodable', { message: 'extensions must have a non-empty issuer url' });
  const owner = first(provider.quota.owner, claims, extensions);
  const identity = first(provider.quota.identity, claims, extensions) ?? san.value;
  return {
    issuer,
    subject,
    san,
    challenge: challengeOf(provider, claims),
    attributes: attributesOf(issuer, subject, extensions),
    quota: { issuer: iss, identity, ...(owner === undefined ? {} : { owner }) },
  };
}

function subjectOf(claims: Claims): string {
  const value = claims.get('sub') ?? '';
  if (typeof value === 'string') return value.toWellFormed();
  throw new Problem('claim_invalid', { field: 'sub', hint: 'The claim sub must be a string.' });
}

/** The `iss`, or what a federating provider says whence the user came. */
function issuerOf({ issuerPath }: Provider, iss: string, claims: Claims): string {
  if (issuerPath === undefined) return iss;
  const field = issuerPath.join('.');
  const hint = `The claim ${field} must be a string.`;
  const value = readJsonPath(issuerPath, claims);
  if (value === undefined) throw new Problem('claim_missing', { field, hint });
  const text = claimText(field, value);
  if (typeof text !== 'string') throw new Problem('claim_invalid', { field, hint });
  return text.toWellFormed();
}

function challengeOf({ challenge }: Provider, claims: Claims): string {
  for (const name of challenge) {
    const text = stringClaim(claims, name) ?? '';
    if (text !== '') return text.toWellFormed();
  }
  return '';
}

/** Lone surrogates become U+FFFD, as in every JSON reader that works on bytes. */
function attributesOf(
  issuer: string,
  subject: string,
  extensions: ReadonlyMap<number, string>,
): readonly Attribute[] {
  const attributes: Attribute[] = [{ extension: ISSUER, value: issuer }];
  let versioned = false;
  for (const [extension, value] of extensions) {
    if (!versioned && extension > ISSUER_V2) {
      attributes.push({ extension: ISSUER_V2, value: issuer });
      versioned = true;
    }
    if (value !== '') attributes.push({ extension, value: value.toWellFormed() });
  }
  if (!versioned) attributes.push({ extension: ISSUER_V2, value: issuer });
  if (subject !== '') attributes.push({ extension: TOKEN_SUBJECT, value: subject });
  return attributes;
}

function first(
  readers: Provider['quota']['owner'],
  claims: Claims,
  extensions: ReadonlyMap<number, string>,
): string | undefined {
  for (const read of readers) {
    const text = read(claims, extensions);
    if (text !== undefined && text !== '') return text;
  }
  return undefined;
}
