// Problem: everything that can go wrong for a client, as one closed table, mapped to a response once at the door.

/** google.rpc.Code numbers that Mayfly answers with. */
export type RpcCode = 3 | 5 | 8 | 12 | 13 | 14 | 16;

interface Entry {
  readonly reason: string;
  readonly code: RpcCode;
  readonly status: 400 | 401 | 404 | 405 | 413 | 415 | 429 | 500 | 503;
  /** The sentence clients know from Fulcio, or undefined where each Problem brings its own. */
  readonly message?: string;
}

const TOKEN = 'There was an error processing the identity token';

const TABLE = {
  request_malformed: { reason: 'REQUEST_MALFORMED', code: 3, status: 400 },
  request_too_large: {
    reason: 'REQUEST_TOO_LARGE',
    code: 3,
    status: 413,
    message: 'http: request body too large',
  },
  media_type_unsupported: {
    reason: 'MEDIA_TYPE_UNSUPPORTED',
    code: 3,
    status: 415,
    message: 'Unsupported Media Type',
  },
  not_found: { reason: 'NOT_FOUND', code: 5, status: 404, message: 'Not Found' },
  method_not_allowed: { reason: 'METHOD_NOT_ALLOWED', code: 12, status: 405, message: 'Method Not Allowed' },

  token_missing: { reason: 'TOKEN_MISSING', code: 3, status: 400, message: TOKEN },
  token_too_large: { reason: 'TOKEN_TOO_LARGE', code: 3, status: 400, message: TOKEN },
  token_malformed: { reason: 'TOKEN_MALFORMED', code: 3, status: 400, message: TOKEN },
  token_type: { reason: 'TOKEN_TYPE', code: 3, status: 400, message: TOKEN },
  issuer_unknown: { reason: 'ISSUER_UNKNOWN', code: 3, status: 400, message: TOKEN },
  issuer_unreachable: { reason: 'ISSUER_UNREACHABLE', code: 3, status: 400, message: TOKEN },
  key_id_unknown: { reason: 'KEY_ID_UNKNOWN', code: 3, status: 400, message: TOKEN },
  signature_invalid: { reason: 'SIGNATURE_INVALID', code: 3, status: 400, message: TOKEN },
  audience_mismatch: { reason: 'AUDIENCE_MISMATCH', code: 3, status: 400, message: TOKEN },
  token_expired: { reason: 'TOKEN_EXPIRED', code: 3, status: 400, message: TOKEN },
  token_not_yet_valid: { reason: 'TOKEN_NOT_YET_VALID', code: 3, status: 400, message: TOKEN },
  token_too_old: { reason: 'TOKEN_TOO_OLD', code: 3, status: 400, message: TOKEN },
  claim_missing: { reason: 'CLAIM_MISSING', code: 3, status: 400, message: TOKEN },
  claim_invalid: { reason: 'CLAIM_INVALID', code: 3, status: 400, message: TOKEN },
  email_unverified: { reason: 'EMAIL_UNVERIFIED', code: 3, status: 400, message: TOKEN },
  token_replayed: { reason: 'TOKEN_REPLAYED', code: 3, status: 400, message: TOKEN },

  /** An identity that is proven but cannot be written into a certificate: each brings its own text, as Fulcio's do. */
  identity_unencodable: { reason: 'IDENTITY_UNENCODABLE', code: 3, status: 400 },
  policy_denied: { reason: 'POLICY_DENIED', code: 3, status: 400 },

  csr_invalid: {
    reason: 'CSR_INVALID',
    code: 3,
    status: 400,
    message: 'The certificate signing request could not be parsed',
  },
  public_key_invalid: {
    reason: 'PUBLIC_KEY_INVALID',
    code: 3,
    status: 400,
    message: 'The public key supplied in the request could not be parsed',
  },
  key_rejected: {
    reason: 'KEY_REJECTED',
    code: 3,
    status: 400,
    message: 'The public key supplied in the request is insecure',
  },
  possession_unproven: {
    reason: 'POSSESSION_UNPROVEN',
    code: 3,
    status: 400,
    message: 'The signature supplied in the request could not be verified',
  },
  key_not_bound: {
    reason: 'KEY_NOT_BOUND',
    code: 3,
    status: 400,
    message: 'The identity token was requested for another public key',
  },
  algorithm_unrecognized: { reason: 'ALGORITHM_UNRECOGNIZED', code: 3, status: 400 },
  algorithm_not_permitted: { reason: 'ALGORITHM_NOT_PERMITTED', code: 3, status: 400 },

  /** A chain that the log does not take: each says what is wrong with it. */
  submission_refused: { reason: 'SUBMISSION_REFUSED', code: 3, status: 400 },
  submitter_unknown: {
    reason: 'SUBMITTER_UNKNOWN',
    code: 16,
    status: 401,
    message: 'this log takes submissions only with its bearer token',
  },

  bearer_required: {
    reason: 'BEARER_REQUIRED',
    code: 16,
    status: 401,
    message: 'this endpoint answers only to its bearer token',
  },

  rate_limited: { reason: 'RATE_LIMITED', code: 8, status: 429 },
  limiter_unavailable: {
    reason: 'LIMITER_UNAVAILABLE',
    code: 14,
    status: 503,
    message: 'Rate limits cannot be checked now',
  },
  audit_unavailable: {
    reason: 'AUDIT_UNAVAILABLE',
    code: 14,
    status: 503,
    message: 'The decision cannot be recorded now',
  },
  signer_unavailable: {
    reason: 'SIGNER_UNAVAILABLE',
    code: 14,
    status: 503,
    message: 'error communicating with CA backend',
  },
  log_unavailable: {
    reason: 'LOG_UNAVAILABLE',
    code: 14,
    status: 503,
    message: 'Error entering certificate in CTL',
  },
  /** Each brings the sentence of its rejection. */
  timestamp_unavailable: { reason: 'TIMESTAMP_UNAVAILABLE', code: 14, status: 503 },
  draining: { reason: 'DRAINING', code: 14, status: 503, message: 'The server is shutting down' },
  overloaded: { reason: 'OVERLOADED', code: 14, status: 503, message: 'The server is at its limit' },
  internal: { reason: 'INTERNAL', code: 13, status: 500, message: 'internal error' },
} as const satisfies Record<string, Entry>;

export type ProblemCode = keyof typeof TABLE;

export interface ProblemOptions {
  /** Path of the request field or name of the claim at fault; never a value. */
  readonly field?: string;
  /** One sentence for people: what would be accepted. Shown unless `errors: terse`. Never a token, key or claim value. */
  readonly hint?: string;
  /** Replaces the table's sentence, for entries whose text varies as Fulcio's does. */
  readonly message?: string;
  /** Seconds after which a retry may succeed; becomes Retry-After. */
  readonly retryAfter?: number;
  /** Facts for ErrorInfo.metadata, such as the limit's name. Never claim values of an unverified token. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** What went wrong inside; for the log, never for the client. */
  readonly cause?: unknown;
}

/** A refusal that a client gets to see. Anything else that is thrown is a bug and becomes `internal`. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly field: string | undefined;
  readonly hint: string | undefined;
  readonly retryAfter: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    const entry: Entry = TABLE[code];
    super(options.message ?? entry.message ?? entry.reason, { cause: options.cause });
    this.code = code;
    this.field = options.field;
    this.hint = options.hint;
    this.retryAfter = options.retryAfter ?? (entry.status === 503 ? 1 : undefined);
    this.metadata = options.metadata ?? {};
  }

  get reason(): string {
    return TABLE[this.code].reason;
  }

  get rpcCode(): RpcCode {
    return TABLE[this.code].code;
  }

  get status(): Entry['status'] {
    return TABLE[this.code].status;
  }
}
