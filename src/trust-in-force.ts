// Trust in force: whom the settings trust and for what, less the issuers that are frozen.

import type { ConfiguredIssuer, Settings } from './config/settings.ts';
import type { Trust } from './issuance.ts';
import type { Policy } from './policy/policy.ts';
import type { Rule } from './policy/rule.ts';
import { IssuerDirectory } from './token/issuer.ts';

export function trustOf({ issuers, frozen }: Pick<Settings, 'issuers' | 'frozen'>): Trust {
  return {
    issuers: new IssuerDirectory(issuers.map(({ issuer }) => issuer)),
    providers: new Map(issuers.map(({ issuer, provider }) => [issuer, provider])),
    policies: new Map(
      issuers.flatMap((one) => {
        const policy = policyOf(one, frozen);
        return policy === undefined ? [] : [[one.issuer, policy]];
      }),
    ),
  };
}

/** Whether the entry as a whole is on the list, by its name or its URL. */
export function isFrozen({ issuer }: ConfiguredIssuer, frozen: Settings['frozen'] = new Set()): boolean {
  return frozen.has(issuer.name) || frozen.has(issuer.url);
}

/** Freezing is a rule of policy, so that a frozen issuer's tokens are still told from forged ones. */
function policyOf(one: ConfiguredIssuer, frozen: Settings['frozen'] = new Set()): Policy | undefined {
  const { issuer, policy } = one;
  if (isFrozen(one, frozen)) return { mode: 'enforce', rules: [notFrozen(() => false)] };
  if (!issuer.wildcard || frozen.size === 0) return policy;
  const rule = notFrozen((iss) => !frozen.has(iss));
  // A policy on trial goes on letting everybody pass; what it would say is not told meanwhile.
  return { mode: 'enforce', rules: policy?.mode === 'enforce' ? [rule, ...policy.rules] : [rule] };
}

function notFrozen(holds: (iss: string) => boolean): Rule {
  return {
    name: 'frozen',
    text: 'the issuer is not frozen',
    claim: undefined,
    message: 'the operator has stopped certificates for this issuer',
    holds: (claims) => {
      const iss = claims.get('iss');
      return typeof iss === 'string' && holds(iss);
    },
  };
}
