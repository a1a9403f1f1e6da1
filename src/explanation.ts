// Explanation: what the line would make of a token, step by step, without asking for its signature or spending anything.

import type { Instant } from './clock.ts';
import { ATTRIBUTE_TITLES } from './identity/attribute.ts';
import { derive, type IdentityFacts } from './identity/identity.ts';
import type { SubjectAltName } from './identity/subject-alt-name.ts';
import type { Trust } from './issuance.ts';
import { fulcioExtension } from './oid.ts';
import { denial } from './policy/policy.ts';
import { Problem } from './problem.ts';
import type { Claims } from './token/claims.ts';
import type { Issuer } from './token/issuer.ts';
import { parseToken } from './token/unverified-token.ts';
import { checkDistributedClaims, checkSubject, checkTimes, matchAudience } from './token/validity.ts';
import { unknownIssuer } from './token/verified-token.ts';

export const STEPS = ['token', 'issuer', 'audience', 'times', 'identity', 'policy'] as const;

/** One step of the line; those that could not be tried are left out. */
export interface ExplainedStep {
  readonly step: (typeof STEPS)[number];
  readonly passed: boolean;
  /** ErrorInfo's reason, and the rest as a client would read it. */
  readonly reason?: string;
  readonly field?: string;
  readonly message?: string;
  readonly hint?: string;
}

export interface ExplainedPolicy {
  readonly mode: 'enforce' | 'audit';
  readonly rules: readonly {
    readonly name: string;
    readonly rule: string;
    readonly holds: boolean;
    /** The operator's. */
    readonly message?: string;
  }[];
}

export interface ExplainedCertificate {
  readonly subjectAltName: SubjectAltName;
  /** What the client has to sign to prove that it holds the key. */
  readonly challenge: string;
  readonly extensions: readonly { readonly oid: string; readonly title: string; readonly value: string }[];
}

export interface Explanation {
  /** Whether there would be a certificate, given that the signature verifies, the key is proven, and no limit is used up. */
  readonly accepted: boolean;
  readonly issuer?: {
    readonly name: string;
    readonly url: string;
    readonly type: string;
    readonly audiences: readonly string[];
  };
  readonly steps: readonly ExplainedStep[];
  /** Left out where the issuer has none. */
  readonly policy?: ExplainedPolicy;
  readonly certificate?: ExplainedCertificate;
}

/**
 * `token` is a JWT with or without its last part, which is dropped unread. Goes on after a refusal as far as it can, so
 * that an expired token still shows its policy. Throws nothing that a token can cause.
 */
export function explain(token: string, trust: Trust, now: Instant): Explanation {
  const steps: ExplainedStep[] = [];
  const attempt = <T>(step: ExplainedStep['step'], work: () => T): T | undefined => {
    try {
      const value = work();
      steps.push({ step, passed: true });
      return value;
    } catch (failure) {
      if (!(failure instanceof Problem)) throw failure;
      steps.push(refusalBy(step, failure));
      return undefined;
    }
  };
  const done = (rest: Omit<Explanation, 'accepted' | 'steps'> = {}): Explanation => {
    return { accepted: steps.every(({ passed }) => passed), ...rest, steps };
  };

  const parsed = attempt('token', () => parseToken(unsigned(token)));
  if (parsed === undefined) return done();
  const { iss, claims } = parsed;
  const entries = attempt('issuer', () => entriesOf(iss, trust));
  if (entries === undefined) return done();
  // With another audience the entry is not known for sure, unless there is only one.
  const issuer = attempt('audience', () => matchAudience(claims, entries).issuer) ?? single(entries);
  if (issuer === undefined) return done();
  attempt('times', () => checkTimes(claims, issuer, now));
  const provider = trust.providers.get(issuer);
  if (provider === undefined) throw new Error(`issuer ${issuer.name} has no provider`);
  const facts = attempt('identity', () => {
    checkSubject(claims);
    checkDistributedClaims(claims);
    return derive(provider, iss, claims);
  });
  const policy = explainedPolicy(issuer, claims, trust);
  attempt('policy', () => {
    const objection = trust.policies.get(issuer)?.rules.find((rule) => !rule.holds(claims));
    if (objection !== undefined && policy?.mode === 'enforce') throw denial(objection);
  });
  const { name, url, audiences } = issuer;
  return done({
    issuer: { name, url, type: provider.type, audiences },
    ...(policy !== undefined && { policy }),
    ...(facts !== undefined && { certificate: explainedCertificate(facts) }),
  });
}

/** With an empty signature, which nobody looks at. */
function unsigned(token: string): string {
  const text = token.trim();
  const parts = text.split('.', 4);
  return parts.length === 2 || parts.length === 3 ? `${parts[0]}.${parts[1]}.` : text;
}

function refusalBy(step: ExplainedStep['step'], { reason, field, message, hint }: Problem): ExplainedStep {
  return {
    step,
    passed: false,
    reason,
    ...(field !== undefined && { field }),
    message,
    ...(hint !== undefined && { hint }),
  };
}

function entriesOf(iss: string, { issuers }: Trust): readonly Issuer[] {
  const entries = issuers.find(iss);
  if (entries.length === 0) throw unknownIssuer(iss, issuers);
  return entries;
}

function single(entries: readonly Issuer[]): Issuer | undefined {
  return entries.length === 1 ? entries[0] : undefined;
}

function explainedPolicy(issuer: Issuer, claims: Claims, { policies }: Trust): ExplainedPolicy | undefined {
  const policy = policies.get(issuer);
  return (
    policy && {
      mode: policy.mode,
      rules: policy.rules.map((rule) => ({
        name: rule.name,
        rule: rule.text,
        holds: rule.holds(claims),
        ...(rule.message !== undefined && { message: rule.message }),
      })),
    }
  );
}

function explainedCertificate({ san, challenge, attributes }: IdentityFacts): ExplainedCertificate {
  return {
    subjectAltName: san,
    challenge,
    extensions: attributes.map(({ extension, value }) => ({
      oid: fulcioExtension(extension),
      title: ATTRIBUTE_TITLES.get(extension) ?? '',
      value,
    })),
  };
}
