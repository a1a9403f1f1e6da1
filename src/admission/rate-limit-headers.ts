// RateLimit fields: how a client's limits stand, for its own pacing (draft-ietf-httpapi-ratelimit-headers-11).

import { type Rate, toleranceOf } from './gcra.ts';
import type { LimitState } from './limiter.ts';

/** The problem type of a 429 body, and its title (section 5.1 of the draft). */
export const QUOTA_EXCEEDED = {
  type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
  title: 'Request cannot be satisfied as assigned quota has been exceeded',
} as const;

/**
 * `RateLimit-Policy` and `RateLimit`, Lists of Strings with parameters (RFC 9651), in lower case for any header table;
 * empty where there is nothing to tell. Of a refusal only the violated limits are told, as no window may end after
 * Retry-After (section 6). How an issuer's whole traffic stands is told only to whom it refuses, and no `pk` is sent.
 */
export function rateLimitHeaders(states: readonly LimitState[]): Readonly<Record<string, string>> {
  const refused = states.some(({ violated }) => violated);
  const told = states.filter(({ limit, violated }) =>
    refused ? violated : limit !== 'certificates-per-issuer',
  );
  if (told.length === 0) return {};
  return {
    'ratelimit-policy': told.map(({ limit, rate }) => `"${limit}";${policyOf(rate)}`).join(', '),
    ratelimit: told.map((one) => `"${one.limit}";r=${one.remaining};t=${one.nextSeconds}`).join(', '),
  };
}

/** The names of the limits that refused, for the `violated-policies` member of a 429 body. */
export function violatedPolicies(states: readonly LimitState[]): readonly string[] {
  return states.filter(({ violated }) => violated).map(({ limit }) => limit);
}

/** `q` in `w` seconds is the burst and the time in which it flows back; the configured refill goes as our own parameters. */
function policyOf(rate: Rate): string {
  let policy = policies.get(rate);
  if (policy === undefined) {
    policy = writePolicy(rate);
    policies.set(rate, policy);
  }
  return policy;
}

// Rates come out of the configuration and are the same objects for each request.
const policies = new WeakMap<Rate, string>();

function writePolicy(rate: Rate): string {
  const window = Math.max(1, Math.ceil(toleranceOf(rate) / 1e6));
  const period = Math.max(1, Math.ceil(rate.periodMs / 1000));
  return `q=${rate.burst};w=${window};mayfly-refill=${rate.count};mayfly-period=${period}`;
}
