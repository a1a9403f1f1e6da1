// CA information: the trust bundle and the configuration as Fulcio publishes them.

import type { Authority } from '../certificate/authority.ts';
import type { IssuerListing } from '../config/settings.ts';

/** A CA chain as PEM, issuing CA first and root last, each with its final newline. */
export type PemChain = readonly string[];

/** GET /api/v2/trustBundle: each PEM keeps its final newline here, unlike in an issuance's answer. */
export function trustBundle(chains: readonly PemChain[]): string {
  return JSON.stringify({ chains: chains.map((certificates) => ({ certificates })) });
}

/** GET /api/v1/rootCert: a newline after each block beside its own, trimmed at the end. */
export function rootCert(authority: Authority): string {
  return authority.pem.join('\n').trimEnd();
}

/** GET /api/v2/configuration. */
export function configuration(listings: readonly IssuerListing[]): string {
  return JSON.stringify({ issuers: listings });
}
