// AuthorityError: why a chain and a key cannot be the authority of an instance, for the operator who gave them.

export type AuthorityErrorCode =
  | 'chain_empty'
  | 'certificate_malformed'
  | 'certificate_repeated'
  | 'chain_order'
  | 'subject_empty'
  | 'not_a_ca'
  | 'key_usage_missing'
  | 'extension_unrecognized'
  | 'certificate_expired'
  | 'certificate_not_yet_valid'
  | 'path_too_long'
  | 'purpose_missing'
  | 'purpose_excluded'
  | 'algorithm_unsupported'
  | 'link_broken'
  | 'key_mismatch'
  | 'key_weak'
  | 'signer_failed'
  | 'request_unusable';

/** The message is one sentence: what is wrong with which certificate, and what would be accepted. */
export class AuthorityError extends Error {
  override readonly name = 'AuthorityError';
  readonly code: AuthorityErrorCode;
  constructor(code: AuthorityErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
