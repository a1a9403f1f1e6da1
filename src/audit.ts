// Audit: what is recorded of each decision, for metrics and the audit log; never a token, never a key.

import type { Binding } from './binding.ts';
import type { Certificate } from './certificate/certificate.ts';
import type { Instant } from './clock.ts';
import type { Identity } from './identity/identity.ts';
import type { VerifiedToken } from './token/verified-token.ts';

/** How far an issuance came; each step adds what it proved. */
export interface Trail {
  readonly startedAt: Instant;
  token?: VerifiedToken;
  identity?: Identity;
  binding?: Binding;
  certificate?: Certificate;
}

export interface Audit {
  /** Called once for each issuance, after its outcome is known; `failure` is a Problem or, for a bug, anything else. */
  record(trail: Trail, failure?: unknown): void;
}

export const silentAudit: Audit = { record: () => {} };
