// Audit line: what is written down of one decision, as flat JSON; names of the world, hashes of secrets, never a token.

import type { Trail } from './audit.ts';
import { hex, utf8 } from './encoding/bytes.ts';
import type { Sha256 } from './encoding/digest.ts';
import { leafIndexOf } from './log/entry.ts';
import { Problem } from './problem.ts';
import type { ClaimValue } from './token/claims.ts';

export interface AuditLine {
  /** RFC 3339. */
  readonly time: string;
  /** Tells it from the other lines of a process, where both go to standard error. */
  readonly audit: true;
  readonly event: 'issued' | 'refused' | 'limited';
  readonly request_id?: string;
  readonly trace_id?: string;
  readonly address?: string;
  /** The configured entry. This and what follows it is of a verified token. */
  readonly issuer?: string;
  readonly iss?: string;
  readonly sub?: string;
  readonly san?: string;
  readonly claims?: Readonly<Record<string, ClaimValue>>;
  /** Of header and payload as they were signed; the same token can be told again, and not be used. */
  readonly token_sha256?: string;
  /** Such as `ECDSA P-256`, `RSA 3072`, `Ed25519`. This and its hash are of a proven key. */
  readonly key_algorithm?: string;
  /** Of the SubjectPublicKeyInfo. */
  readonly key_sha256?: string;
  /** Hexadecimal. */
  readonly serial?: string;
  /** In the built-in log. */
  readonly log_index?: number;
  /** Why not: ErrorInfo's reason. */
  readonly reason?: string;
  /** The rule of the policy that refused it. */
  readonly rule?: string;
  /** The rate limit that refused it. */
  readonly limit?: string;
  /** Rules of a policy in audit mode that would have refused it. */
  readonly would_refuse?: readonly string[];
}

/** `failure` is undefined for a certificate that was issued; `chosen` are names of claims. */
export function auditLine(
  trail: Trail,
  failure: unknown,
  chosen: readonly string[],
  sha256: Sha256,
): AuditLine {
  const { requestId, traceId, address } = trail.caller;
  return {
    time: new Date(trail.startedAt).toISOString(),
    audit: true,
    event: eventOf(failure),
    ...(requestId !== undefined && { request_id: requestId }),
    ...(traceId !== undefined && { trace_id: traceId }),
    ...(address !== undefined && { address }),
    ...identityIn(trail, chosen, sha256),
    ...certificateIn(trail),
    ...reasonOf(failure),
  };
}

function eventOf(failure: unknown): AuditLine['event'] {
  if (failure === undefined) return 'issued';
  return failure instanceof Problem && failure.code === 'rate_limited' ? 'limited' : 'refused';
}

function identityIn(
  { token, identity, authorization }: Trail,
  chosen: readonly string[],
  sha256: Sha256,
): Partial<AuditLine> {
  if (token === undefined) return {};
  const claims = chosen.flatMap((name): [string, ClaimValue][] => {
    const value = token.claims.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  const sub = token.claims.get('sub');
  const objections = authorization?.objections ?? [];
  return {
    issuer: token.issuer.name,
    iss: token.iss,
    ...(typeof sub === 'string' && { sub }),
    ...(identity !== undefined && { san: identity.san.value }),
    ...(claims.length > 0 && { claims: Object.fromEntries(claims) }),
    token_sha256: hex(sha256(utf8(token.signed))),
    ...(objections.length > 0 && { would_refuse: objections.map(({ name }) => name) }),
  };
}

function certificateIn({ binding, certificate }: Trail): Partial<AuditLine> {
  const index = certificate?.sct && leafIndexOf(certificate.sct.extensions);
  return {
    ...(binding !== undefined && {
      key_algorithm: binding.keyAlgorithm,
      key_sha256: hex(binding.spkiHash),
    }),
    ...(certificate !== undefined && { serial: hex(certificate.draft.serial) }),
    ...(index !== undefined && { log_index: index }),
  };
}

function reasonOf(failure: unknown): Partial<AuditLine> {
  if (failure === undefined) return {};
  if (!(failure instanceof Problem)) return { reason: 'INTERNAL' };
  const { rule, limit } = failure.metadata;
  return {
    reason: failure.reason,
    ...(rule !== undefined && { rule }),
    ...(limit !== undefined && { limit }),
  };
}
