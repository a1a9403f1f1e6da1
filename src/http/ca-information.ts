// CA information: the trust bundle and the configuration as Fulcio publishes them.

import type { Authority } from '../certificate/authority.ts';
import type { IssuerListing } from '../config/settings.ts';

/** GET /api/v2/trustBundle: each PEM keeps its final newline here, unlike in an issuance's answer. */
export function trustBundle(authority: Authority): string {
  return JSON.stringify({ chains: [{ certificates: authority.pem }] });
}

/** GET /api/v1/rootCert: a newline after each block beside its own, trimmed at the end. */
export function rootCert(authority: Authority): string {
  return authority.pem.join('\n').trimEnd();
}

/** GET /api/v2/configuration. */
export function configuration(listings: readonly IssuerListing[]): string {
  return JSON.stringify({ issuers: listings });
}
