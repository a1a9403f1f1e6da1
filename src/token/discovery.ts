// Discovery: where an issuer says that its keys are, and from where we agree to take them (OpenID Connect Discovery 1.0).

import type { Reach } from './address.ts';
import { announcedAlgorithms, type SignatureAlgorithm } from './algorithm.ts';
import { parseFetchUrl } from './fetcher.ts';
import type { Issuer } from './issuer.ts';
import { IssuerFault } from './issuer-fault.ts';
import { hasWildcardHost } from './issuer-pattern.ts';

export interface FetchTarget {
  readonly url: URL;
  readonly addresses: Reach;
}

export interface Discovery {
  readonly jwks: FetchTarget;
  readonly algorithms: readonly SignatureAlgorithm[];
}

/** Section 4.1: a final slash of the issuer is dropped before the path is added. */
export function discoveryTarget(issuer: Issuer, iss: string): FetchTarget {
  const url = parseFetchUrl(`${iss.endsWith('/') ? iss.slice(0, -1) : iss}/.well-known/openid-configuration`);
  if (!isHostFromToken(issuer)) return { url, addresses: 'any' };
  if (url.protocol !== 'https:')
    throw new IssuerFault('insecure_url', 'discovery document', 'a * in the host needs https');
  return { url, addresses: 'public' };
}

/** Section 4.3: the `issuer` must be exactly the URL that the document was found by. */
export function readDiscovery(document: unknown, issuer: Issuer, iss: string): Discovery {
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new IssuerFault('document_malformed', 'discovery document', 'not a JSON object');
  const own = (name: string) =>
    Object.hasOwn(document, name) ? (document as Record<string, unknown>)[name] : undefined;
  if (own('issuer') !== iss)
    throw new IssuerFault(
      'issuer_differs',
      'discovery document',
      `issuer is ${told(own('issuer'))} and not ${issuer.url}`,
    );
  const jwksUri = own('jwks_uri');
  if (typeof jwksUri !== 'string')
    throw new IssuerFault('document_malformed', 'discovery document', 'no jwks_uri');
  return {
    jwks: jwksTarget(jwksUri, issuer, discoveryTarget(issuer, iss)),
    algorithms: announcedAlgorithms(own('id_token_signing_alg_values_supported')),
  };
}

/** What a document says, for the operator's eyes. */
function told(value: unknown): string {
  return (JSON.stringify(value) ?? 'not given').slice(0, 200);
}

/** The key set that the operator named himself: anywhere, as he says. */
export function overrideTarget(jwksUri: string): FetchTarget {
  return { url: parseFetchUrl(jwksUri), addresses: 'any' };
}

/**
 * The document is the issuer's word, not the operator's: it may point to its own host, to hosts that the operator
 * lists, and else to https at public addresses only.
 */
function jwksTarget(jwksUri: string, issuer: Issuer, home: FetchTarget): FetchTarget {
  const url = parseFetchUrl(jwksUri);
  const listed = issuer.jwksHosts?.map((host) => host.toLowerCase()) ?? [];
  if (listed.includes(url.host) || listed.includes(url.hostname)) return { url, addresses: 'any' };
  if (url.protocol !== 'https:' && (url.host !== home.url.host || home.url.protocol === 'https:'))
    throw new IssuerFault('insecure_url', 'key set', `jwks_uri ${url.host} is not https`);
  return { url, addresses: url.host === home.url.host ? home.addresses : 'public' };
}

/** Whether whoever writes a token chooses the host that we ask, within the pattern. */
function isHostFromToken(issuer: Issuer): boolean {
  return issuer.wildcard && hasWildcardHost(issuer.url) && issuer.allowPrivateAddresses !== true;
}
