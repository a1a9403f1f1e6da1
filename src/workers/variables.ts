// Variables: the texts that a deployment gives the Worker: secrets, and settings laid over the configuration.

/** Keys as PKCS#8 PEM, chains as PEM with the root last; all made by deploy/workers/keys.ts. */
export interface KeySecrets {
  readonly CA_CHAIN?: string;
  /** Absent where SIGNER holds it, as are all other keys. */
  readonly CA_KEY?: string;
  /** ECDSA P-256: signs SCTs and tree heads. */
  readonly LOG_KEY?: string;
  /** Ed25519: cosigns checkpoints. */
  readonly NOTE_KEY?: string;
  readonly TIMESTAMP_CHAIN?: string;
  readonly TIMESTAMP_KEY?: string;
}

/** Each replaces what the configuration file says. */
export interface Overrides {
  /** Where the public reaches the Worker, without a final slash. */
  readonly PUBLIC_URL?: string;
  /** builtin, none, or the URL of an RFC 6962 log. */
  readonly LOG?: string;
  /** PEM of the public key of the log at that URL. */
  readonly LOG_PUBLIC_KEY?: string;
  /** on or off. */
  readonly LIMITS?: string;
  /** Comma-separated. */
  readonly CLIENT_SIGNING_ALGORITHMS?: string;
  /** Names or URLs from which nothing is taken for now, between commas or blanks. */
  readonly FROZEN_ISSUERS?: string;
  /** A secret: tokens that open the explain endpoint, between commas or blanks; without any there is none. */
  readonly EXPLAIN_BEARERS?: string;
}
