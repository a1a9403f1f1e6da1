// Issuance: the straight line from a request to a certificate; each step takes the proof that the last one minted.

import { type Admitter, admit } from './admission/admission.ts';
import type { FailedProofs } from './admission/failures.ts';
import type { Audit, Trail } from './audit.ts';
import { bind, type KeyPolicy, type PresentedKey } from './binding.ts';
import type { Authority } from './certificate/authority.ts';
import { type Certificate, certify, certifyWithoutLog } from './certificate/certificate.ts';
import { compose } from './certificate/draft.ts';
import { precertify } from './certificate/precertificate.ts';
import type { Profile } from './certificate/profile.ts';
import type { Instant } from './clock.ts';
import type { Random } from './encoding/random.ts';
import { identify } from './identity/identity.ts';
import type { Provider } from './identity/provider.ts';
import type { Log } from './log/log.ts';
import { authorize, type Policies } from './policy/policy.ts';
import type { Issuer, IssuerDirectory } from './token/issuer.ts';
import type { KeySets } from './token/keyset.ts';
import { authenticate } from './token/verified-token.ts';

export interface IssuanceRequest {
  /** A compact JWS; '' when the client sent none. */
  readonly token: string;
  readonly key: PresentedKey;
}

/** Whom to trust and for what; swapped as a whole when the configuration is read again. */
export interface Trust {
  readonly issuers: IssuerDirectory;
  readonly providers: ReadonlyMap<Issuer, Provider>;
  readonly policies: Policies;
}

/** Everything the line stands on; runtimes wire it. */
export interface Line {
  readonly trust: Trust;
  readonly keysets: KeySets;
  readonly keyPolicy: KeyPolicy;
  /** Failed proofs by identity, looked at before the next proof is checked. */
  readonly failedProofs: FailedProofs;
  /** Undefined where limits are off. */
  readonly admitter: Admitter | undefined;
  readonly authority: Authority;
  readonly profile: Profile;
  /** Undefined where no log is configured. */
  readonly log: Log | undefined;
  readonly random: Random;
  readonly audit: Audit;
}

/** Throws a Problem for everything that is the client's or a backend's fault. */
export async function issue(request: IssuanceRequest, line: Line, now: Instant): Promise<Certificate> {
  const trail: Trail = { startedAt: now };
  try {
    const certificate = await walk(request, line, now, trail);
    trail.certificate = certificate;
    line.audit.record(trail);
    return certificate;
  } catch (failure) {
    line.audit.record(trail, failure);
    throw failure;
  }
}

async function walk(request: IssuanceRequest, line: Line, now: Instant, trail: Trail): Promise<Certificate> {
  const { trust, authority, profile, log } = line;
  const token = await authenticate(request.token, trust.issuers, line.keysets, now);
  trail.token = token;
  const identity = identify(token, trust.providers);
  trail.identity = identity;
  const authorization = authorize(identity, trust.policies);
  const binding = await line.failedProofs.guard(identity.quota, line.random, now, () =>
    bind(authorization, request.key, line.keyPolicy),
  );
  trail.binding = binding;
  const admission = await admit(binding, line.admitter, now);
  try {
    const draft = compose(admission, authority, profile, line.random, now);
    if (log === undefined) return await certifyWithoutLog(draft, authority, profile);
    const precertificate = await precertify(draft, authority, profile);
    const sct = await log.append(precertificate.entry);
    return await certify(precertificate, sct, authority, profile);
  } catch (failure) {
    await admission.refund(); // our side failed after the spend
    throw failure;
  }
}
