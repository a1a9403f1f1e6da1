// Audience: for whom a token is asked for, so that the instance takes it.

import type { IssuerListing } from '../config/settings.ts';
import { matchesPattern } from '../token/issuer-pattern.ts';
import { ClientError } from './client-error.ts';
import { audiencesOf, type IdentityToken } from './identity-token.ts';
import { boundAudience, type SigningKey } from './signing-key.ts';

/** Which of an instance's issuers may be the one that gives the token. */
export interface IssuerHint {
  /** Types as the configuration endpoint names them. */
  readonly types: readonly string[];
  /** Beginnings of issuer URLs. */
  readonly urls: readonly string[];
}

/** What all of Sigstore asks for where nothing else is said. */
const USUAL = 'sigstore';

export interface WantedAudience {
  readonly name: string;
  /** Whether a token has to be for one key, whoever of these issuers gives it. */
  readonly bound: boolean;
}

/**
 * The audience that the instance wants of such an issuer; of any issuer where it lists none that fits. Over what the
 * instance says, `chosen` is its name. Throws ClientError `token_unavailable` when it wants different ones.
 */
export function audienceFor(
  hint: IssuerHint | undefined,
  listings: readonly IssuerListing[],
  chosen?: string,
): WantedAudience {
  const fitting = listings.filter((listing) => hint !== undefined && fits(hint, listing));
  const possible = fitting.length > 0 ? fitting : listings;
  const name = chosen ?? nameOf(possible);
  const same = possible.filter(({ audience }) => audience === name);
  return { name, bound: same.length > 0 && same.every(({ binding }) => binding !== undefined) };
}

function nameOf(listings: readonly IssuerListing[]): string {
  const audiences = new Set(listings.map(({ audience }) => audience));
  const [only] = audiences;
  if (only === undefined) throw new ClientError('token_unavailable', 'the instance trusts no issuer yet');
  if (audiences.size === 1) return only;
  if (audiences.has(USUAL)) return USUAL;
  throw new ClientError(
    'token_unavailable',
    `the instance's issuers want different audiences (${[...audiences].join(', ')}): choose one with --audience`,
  );
}

function fits(hint: IssuerHint, { issuerType, issuerUrl, wildcardIssuerUrl }: IssuerListing): boolean {
  const url = issuerUrl ?? wildcardIssuerUrl ?? '';
  return hint.types.includes(issuerType) || hint.urls.some((start) => url.startsWith(start));
}

/** The entries for the issuer of a token. */
export function listingsOf(
  { issuer }: IdentityToken,
  listings: readonly IssuerListing[],
): readonly IssuerListing[] {
  return listings.filter(
    ({ issuerUrl, wildcardIssuerUrl }) =>
      issuerUrl === issuer || (wildcardIssuerUrl !== undefined && matchesPattern(wildcardIssuerUrl, issuer)),
  );
}

/**
 * `needed` where the instance takes the token only if its audience names `key`, and it does not; `kept` where it does;
 * `free` where it need not.
 */
export function bindingOf(
  token: IdentityToken,
  listings: readonly IssuerListing[],
  key: Pick<SigningKey, 'thumbprint'>,
): 'free' | 'kept' | 'needed' {
  const audiences = audiencesOf(token);
  const [free, bound] = [false, true].map((wanted) =>
    listingsOf(token, listings).filter(({ binding }) => (binding !== undefined) === wanted),
  );
  if (bound?.some(({ audience }) => audiences.includes(boundAudience(audience, key)))) return 'kept';
  if (free?.some(({ audience }) => audiences.includes(audience))) return 'free';
  return bound?.some(({ audience }) => audiences.some((one) => one.split('+', 1)[0] === audience))
    ? 'needed'
    : 'free';
}
