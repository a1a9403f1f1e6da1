// Audit: what is recorded of each decision, for metrics and the audit log; never a token, never a key.

import type { Binding } from './binding.ts';
import type { Caller } from './caller.ts';
import type { Certificate } from './certificate/certificate.ts';
import type { Instant } from './clock.ts';
import type { Identity } from './identity/identity.ts';
import type { Authorization } from './policy/policy.ts';
import type { VerifiedToken } from './token/verified-token.ts';

/** How far an issuance came; each step adds what it proved. */
export interface Trail {
  readonly startedAt: Instant;
  readonly caller: Caller;
  token?: VerifiedToken;
  identity?: Identity;
  authorization?: Authorization;
  binding?: Binding;
  certificate?: Certificate;
}

/** Hears of each decision, and has no say. */
export interface Observer {
  record(trail: Trail, failure?: unknown): void;
}

export interface Audit {
  /**
   * Called for each issuance, before its outcome leaves; `failure` is a Problem or, for a bug, anything else. Where a
   * certificate must not leave unrecorded, it rejects with Problem `audit_unavailable`, and is then called once more
   * with that. With a failure it never rejects.
   */
  record(trail: Trail, failure?: unknown): void | Promise<void>;
}
