// Issuance: the straight line from a request to a certificate; each step takes the proof that the last one minted.

import { type Admission, type Admitter, admit } from './admission/admission.ts';
import type { AddressFailures, FailedProofs } from './admission/failures.ts';
import type { Audit, Trail } from './audit.ts';
import { bind, type KeyPolicy, type PresentedKey } from './binding.ts';
import type { Caller } from './caller.ts';
import type { Capacity } from './capacity.ts';
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
import type { CachedKeySets } from './token/keyset.ts';
import { authenticate, type VerifiedToken } from './token/verified-token.ts';
import { type Trace, traced } from './trace.ts';

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
  readonly keysets: CachedKeySets;
  readonly keyPolicy: KeyPolicy;
  /** Failed tokens by client address; left out where limits are off. */
  readonly addressFailures?: AddressFailures | undefined;
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
  /** Of all issuances; undefined where the runtime bounds them. What finds no place is no decision, and not audited. */
  readonly capacity?: Capacity | undefined;
}

/** Throws a Problem for everything that is the client's or a backend's fault. */
export async function issue(
  request: IssuanceRequest,
  line: Line,
  now: Instant,
  caller: Caller = {},
): Promise<Certificate> {
  line.capacity?.enter();
  const trail: Trail = { startedAt: now, caller };
  try {
    return await walk(request, line, now, trail);
  } catch (failure) {
    await line.audit.record(trail, failure);
    throw failure;
  } finally {
    line.capacity?.leave();
  }
}

async function walk(request: IssuanceRequest, line: Line, now: Instant, trail: Trail): Promise<Certificate> {
  const { trust } = line;
  const { caller } = trail;
  const { trace } = caller;
  const token = await traced(trace, 'oidc.verify', () => authenticated(request, line, now, caller));
  trail.token = token;
  const identity = identify(token, trust.providers);
  trail.identity = identity;
  const authorization = traced(trace, 'policy', () => authorize(identity, trust.policies));
  trail.authorization = authorization;
  const binding = await traced(trace, 'bind', () =>
    line.failedProofs.guard(identity.quota, line.random, now, () =>
      bind(authorization, request.key, line.keyPolicy),
    ),
  );
  trail.binding = binding;
  const admission = await traced(trace, 'ratelimit', () => admit(binding, line.admitter, now));
  try {
    const certificate = await certified(admission, line, now, trace);
    trail.certificate = certificate;
    await line.audit.record(trail); // before it leaves
    return certificate;
  } catch (failure) {
    await admission.refund(); // our side failed after the spend
    throw failure;
  }
}

function authenticated(
  { token }: IssuanceRequest,
  { trust, keysets, addressFailures, random }: Line,
  now: Instant,
  { address }: Caller,
): Promise<VerifiedToken> {
  if (addressFailures === undefined || address === undefined)
    return authenticate(token, trust.issuers, keysets, now);
  return addressFailures.guard(address, keysets, random, now, (keys) =>
    authenticate(token, trust.issuers, keys, now),
  );
}

async function certified(
  admission: Admission,
  { authority, profile, log, random }: Line,
  now: Instant,
  trace: Trace | undefined,
): Promise<Certificate> {
  const draft = compose(admission, authority, profile, random, now);
  if (log === undefined) return traced(trace, 'sign', () => certifyWithoutLog(draft, authority, profile));
  const precertificate = await traced(trace, 'sign', () => precertify(draft, authority, profile));
  const sct = await traced(trace, 'log.append', () => log.append(precertificate.entry));
  return traced(trace, 'sign', () => certify(precertificate, sct, authority, profile));
}
