// Rule: one line of a claim policy, true or false for the claims of a token.

import type { Claims, ClaimValue } from '../token/claims.ts';

export interface Rule {
  /** Where it stands in the policy: `require.ref` or `cel[0]`. */
  readonly name: string;
  /** As an operator would write it. */
  readonly text: string;
  /** The claim that it is about, where it is about one. */
  readonly claim: string | undefined;
  /** The operator's own words for a refusal. */
  readonly message: string | undefined;
  /** Never throws, whatever the claims hold: a rule that cannot be decided does not hold. */
  holds(claims: Claims): boolean;
}

/** The claim must hold one of the values; one that ends in `*` is a prefix. */
export function requireClaim(
  claim: string,
  values: readonly string[],
  message: string | undefined = undefined,
): Rule {
  return {
    name: `require.${claim}`,
    text: `${claim}: [${values.map((value) => JSON.stringify(value)).join(', ')}]`,
    claim,
    message,
    holds: (claims) => isOneOf(claims.get(claim), values),
  };
}

function isOneOf(value: ClaimValue | undefined, allowed: readonly string[]): boolean {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return false;
  const text = String(value);
  return allowed.some((one) => (one.endsWith('*') ? text.startsWith(one.slice(0, -1)) : text === one));
}
