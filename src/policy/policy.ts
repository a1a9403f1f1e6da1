// Policy: which proven identities of an issuer may have a certificate, by the values of their claims.

import type { Identity } from '../identity/identity.ts';
import { Problem } from '../problem.ts';
import type { ClaimValue } from '../token/claims.ts';
import type { Issuer } from '../token/issuer.ts';

/** Every named claim must hold one of its values; a value that ends in `*` is a prefix. */
export interface Policy {
  readonly require: ReadonlyMap<string, readonly string[]>;
}

export type Policies = ReadonlyMap<Issuer, Policy>;

/** Proof that the policy of the token's issuer lets this identity have a certificate. */
export class Authorization {
  readonly #authorized = true;
  readonly identity: Identity;

  private constructor(identity: Identity) {
    this.identity = identity;
  }

  /** Throws Problem `policy_denied` that names the claim at fault. An issuer without a policy authorizes all its identities. */
  static of(identity: Identity, policies: Policies): Authorization {
    const policy = policies.get(identity.token.issuer);
    if (policy !== undefined) {
      for (const [claim, values] of policy.require) {
        if (!holds(identity.token.claims.get(claim), values)) {
          throw new Problem('policy_denied', {
            field: claim,
            message: `The policy of this issuer does not allow a certificate for this identity (claim ${claim})`,
            hint: `The claim ${claim} must have one of the values that the operator listed under policy.require.`,
          });
        }
      }
    }
    return new Authorization(identity);
  }

  get authorized(): boolean {
    return this.#authorized;
  }
}

export const authorize = Authorization.of;

function holds(value: ClaimValue | undefined, allowed: readonly string[]): boolean {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return false;
  const text = String(value);
  return allowed.some((one) => (one.endsWith('*') ? text.startsWith(one.slice(0, -1)) : text === one));
}
