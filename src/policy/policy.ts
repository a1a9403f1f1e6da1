// Policy: which proven identities of an issuer may have a certificate, by the values of their claims.

import type { Identity } from '../identity/identity.ts';
import { Problem } from '../problem.ts';
import type { Claims } from '../token/claims.ts';
import type { Issuer } from '../token/issuer.ts';
import type { Rule } from './rule.ts';

export interface Policy {
  /** `audit` lets everybody pass and tells whom `enforce` would refuse. */
  readonly mode: 'enforce' | 'audit';
  /** All of them must hold. */
  readonly rules: readonly Rule[];
}

export type Policies = ReadonlyMap<Issuer, Policy>;

/** The rules that do not hold. */
export function objectionsTo(claims: Claims, policy: Policy): readonly Rule[] {
  return policy.rules.filter((rule) => !rule.holds(claims));
}

/** Problem `policy_denied`, in the operator's words where there are any. */
export function denial({ name, claim, message }: Rule): Problem {
  const why = message ?? (claim === undefined ? `rule ${name}` : `claim ${claim}`);
  const told = message === undefined ? ` (${why})` : `: ${why}`;
  return new Problem('policy_denied', {
    ...(claim === undefined ? {} : { field: claim }),
    message: `The policy of this issuer does not allow a certificate for this identity${told}`,
    hint:
      claim === undefined
        ? "The claims must fulfil every rule of the issuer's policy."
        : `The claim ${claim} must have one of the values that the operator listed under policy.require.`,
    metadata: { rule: name },
  });
}

/** Proof that the policy of the token's issuer lets this identity have a certificate. */
export class Authorization {
  readonly #authorized = true;
  readonly identity: Identity;
  /** What a policy in audit mode would have refused it for. */
  readonly objections: readonly Rule[];

  private constructor(identity: Identity, objections: readonly Rule[]) {
    this.identity = identity;
    this.objections = objections;
  }

  /** Throws Problem `policy_denied` for the first rule that does not hold. An issuer without a policy authorizes all its identities. */
  static of(identity: Identity, policies: Policies): Authorization {
    const { issuer, claims } = identity.token;
    const policy = policies.get(issuer);
    if (policy === undefined) return new Authorization(identity, []);
    if (policy.mode === 'audit') return new Authorization(identity, objectionsTo(claims, policy));
    const objection = policy.rules.find((rule) => !rule.holds(claims));
    if (objection !== undefined) throw denial(objection);
    return new Authorization(identity, []);
  }

  get authorized(): boolean {
    return this.#authorized;
  }
}

export const authorize = Authorization.of;
