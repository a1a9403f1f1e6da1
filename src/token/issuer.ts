// Issuer: an OpenID provider whose tokens the operator trusts, and the directory that finds it by `iss`.

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
  /** Seconds from `iat` after which a token is refused. */
  readonly maxTokenAge?: number;
  /** For a `*` in the host: allow private addresses (the operator's explicit opt-out). */
  readonly allowPrivateAddresses?: boolean;
  /** Hosts besides the issuer's own that `jwks_uri` may name although they are private or plain http. */
  readonly jwksHosts?: readonly string[];
}
