// Audience: for whom a token is asked for, so that the instance takes it.

import type { IssuerListing } from '../config/settings.ts';
import { ClientError } from './client-error.ts';

/** Which of an instance's issuers may be the one that gives the token. */
export interface IssuerHint {
  /** Types as the configuration endpoint names them. */
  readonly types: readonly string[];
  /** Beginnings of issuer URLs. */
  readonly urls: readonly string[];
}

/** What all of Sigstore asks for where nothing else is said. */
const USUAL = 'sigstore';

/**
 * The audience that the instance wants of such an issuer; of any issuer where it lists none that fits.
 * Throws ClientError `token_unavailable` when it wants different ones.
 */
export function audienceFor(hint: IssuerHint | undefined, listings: readonly IssuerListing[]): string {
  const fitting = listings.filter((listing) => hint !== undefined && fits(hint, listing));
  const audiences = new Set((fitting.length > 0 ? fitting : listings).map(({ audience }) => audience));
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
