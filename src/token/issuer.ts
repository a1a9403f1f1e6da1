// Issuer: an OpenID provider whose tokens the operator trusts, and the directory that finds it by `iss`.

import { intersects, matchesPattern, specificity } from './issuer-pattern.ts';

/** A public key set given in the configuration instead of fetched (RFC 7517 section 5). */
export interface InlineKeySet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** Trust facts only; how its claims become an identity is the Provider's. One object for each configured entry. */
export interface Issuer {
  /** Label for logs and metrics; the configured name or URL, never text from a token. */
  readonly name: string;
  /** Exact `iss`, or a pattern in which each `*` stands for [-_a-zA-Z0-9]+. */
  readonly url: string;
  readonly wildcard: boolean;
  /** A token must carry at least one of these in `aud`. */
  readonly audiences: readonly string[];
  /** PEM certificates that its TLS server may chain to, beside the system's. */
  readonly caCert?: string;
  readonly jwks?: InlineKeySet;
  /** Replaces discovery where given. */
  readonly jwksUri?: string;
  /** `audience-thumbprint`: a token is for one key, which its `aud` names: `<audience>+<base64url SHA-256 of the SPKI>`. */
  readonly binding?: 'audience-thumbprint';
  /** Seconds from `iat` after which a token is refused. */
  readonly maxTokenAge?: number;
  /** For a `*` in the host: allow private addresses (the operator's explicit opt-out). */
  readonly allowPrivateAddresses?: boolean;
  /** Hosts besides the issuer's own that `jwks_uri` may name although they are private or plain http. */
  readonly jwksHosts?: readonly string[];
}

/** A token whose `iss` is longer than this many characters is refused; so no URL of an issuer may be longer. */
export const maxIssuerLength = 2048;

export class IssuerDirectory {
  readonly #exact: ReadonlyMap<string, readonly Issuer[]>;
  /** The most specific first; entries with the same pattern together, in the order of the configuration. */
  readonly #patterns: readonly { readonly pattern: string; readonly issuers: readonly Issuer[] }[];

  constructor(issuers: readonly Issuer[]) {
    this.#exact = Map.groupBy(
      issuers.filter((issuer) => !issuer.wildcard),
      (issuer) => issuer.url,
    );
    const patterns = Map.groupBy(
      issuers.filter((issuer) => issuer.wildcard),
      (issuer) => issuer.url,
    );
    this.#patterns = [...patterns]
      .map(([pattern, group]) => ({ pattern, issuers: group }))
      .sort((a, b) => specificity(b.pattern) - specificity(a.pattern));
  }

  /** All entries for this `iss`, told apart by audience: the exact ones, otherwise those of the most specific pattern. */
  find(iss: string): readonly Issuer[] {
    if (iss.length > maxIssuerLength) return [];
    const exact = this.#exact.get(iss);
    if (exact !== undefined) return exact;
    return this.#patterns.find(({ pattern }) => matchesPattern(pattern, iss))?.issuers ?? [];
  }
}

export interface Overlap {
  readonly first: Issuer;
  readonly second: Issuer;
  /** One sentence for the operator. */
  readonly why: string;
}

/** Pairs of entries between which a token could not tell: refused when the configuration is loaded. */
export function overlaps(issuers: readonly Issuer[]): readonly Overlap[] {
  const found: Overlap[] = [];
  for (const [index, first] of issuers.entries())
    for (const second of issuers.slice(index + 1)) {
      const why = whyOverlapping(first, second);
      if (why !== undefined) found.push({ first, second, why });
    }
  return found;
}

function whyOverlapping(first: Issuer, second: Issuer): string | undefined {
  if (first.wildcard !== second.wildcard) return undefined; // exact comes before pattern
  if (first.url === second.url) {
    const shared = first.audiences.find((audience) => second.audiences.includes(audience));
    return shared === undefined ? undefined : `both have the URL ${first.url} and the audience ${shared}`;
  }
  if (!first.wildcard || specificity(first.url) !== specificity(second.url)) return undefined;
  if (!intersects(first.url, second.url)) return undefined;
  return `one issuer can match both ${first.url} and ${second.url}, and neither is more specific`;
}
