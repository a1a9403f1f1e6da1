// Client error: why a signature could not be made or does not hold, as a code for scripts and a sentence for people.

/** What stood in the way of the work itself; nothing is known about any signature. */
export type ObstacleCode =
  | 'usage'
  | 'file_unreadable'
  | 'instance_unreachable'
  | 'instance_unusable'
  | 'connection_insecure'
  | 'token_unavailable'
  | 'token_malformed'
  | 'login_failed'
  | 'certificate_refused'
  | 'timestamp_refused'
  | 'signature_log_refused'
  | 'predicate_unavailable'
  | 'trusted_root_malformed';

/** What is wrong with a signature. */
export type FlawCode =
  | 'bundle_malformed'
  | 'bundle_unsuitable'
  | 'timestamp_missing'
  | 'timestamp_untrusted'
  | 'certificate_untrusted'
  | 'certificate_expired'
  | 'sct_untrusted'
  | 'signature_log_untrusted'
  | 'artifact_mismatch'
  | 'signature_invalid'
  | 'statement_malformed'
  | 'predicate_type_mismatch'
  | 'issuer_mismatch'
  | 'identity_mismatch';

export type ClientErrorCode = ObstacleCode | FlawCode;

/** The message is one sentence that holds neither a token nor a key, with control characters escaped. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** A signature that does not hold, as against work that could not be done. */
export class SignatureFlaw extends ClientError {
  declare readonly code: FlawCode;

  constructor(code: FlawCode, message: string, cause?: unknown) {
    super(code, message, cause);
  }
}
