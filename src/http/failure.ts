// Failure: a Problem becomes google.rpc.Status as JSON, once, at the door.

import { QUOTA_EXCEEDED, rateLimitHeaders, violatedPolicies } from '../admission/rate-limit-headers.ts';
import { LimitExceeded } from '../admission/refusal.ts';
import { Problem } from '../problem.ts';

/** `helpful` adds details to Fulcio's sentence; `terse` leaves exactly that. */
export type ErrorDetail = 'helpful' | 'terse';

export const ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo';
export const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest';
export const LOCALIZED = 'type.googleapis.com/google.rpc.LocalizedMessage';

/** Anything that is no Problem is a bug: it is answered with 500 and none of its text. */
export function problemOf(failure: unknown): Problem {
  return failure instanceof Problem ? failure : new Problem('internal', { cause: failure });
}

/** One of the `details` of google.rpc.Status, as JSON. */
export type Detail =
  | {
      readonly '@type': typeof ERROR_INFO;
      readonly reason: string;
      readonly domain: string;
      readonly metadata: Readonly<Record<string, string>>;
    }
  | {
      readonly '@type': typeof BAD_REQUEST;
      readonly fieldViolations: readonly { readonly field: string; readonly description: string }[];
    }
  | { readonly '@type': typeof LOCALIZED; readonly locale: string; readonly message: string };

/** Routing answers carry no details, as there is nothing to add to them. */
const PLAIN = new Set(['not_found', 'method_not_allowed']);

/** The `details` of google.rpc.Status; each carries its `@type`. */
export function detailsOf(problem: Problem, detail: ErrorDetail): readonly Detail[] {
  if (detail === 'terse' || PLAIN.has(problem.code)) return [];
  const { field, hint } = problem;
  const metadata = { ...problem.metadata, ...(field === undefined ? {} : { field }) };
  const details: Detail[] = [{ '@type': ERROR_INFO, reason: problem.reason, domain: 'mayfly', metadata }];
  if (hint !== undefined && field !== undefined) {
    details.push({ '@type': BAD_REQUEST, fieldViolations: [{ field, description: hint }] });
  } else if (hint !== undefined) {
    details.push({ '@type': LOCALIZED, locale: 'en', message: hint });
  }
  return details;
}

/** Whole seconds for Retry-After, at least one. */
export function retryAfterOf(problem: Problem): number | undefined {
  return problem.retryAfter === undefined ? undefined : Math.max(1, Math.ceil(problem.retryAfter));
}

/** The RateLimit fields of a refusal by a limit. */
export function rateLimitFields(problem: Problem): Readonly<Record<string, string>> {
  return problem instanceof LimitExceeded ? rateLimitHeaders(problem.states) : {};
}

/** Members of application/problem+json beside those of google.rpc.Status; readers of either skip the other's. */
function quotaMembers(problem: Problem): object {
  if (!(problem instanceof LimitExceeded)) return {};
  return { ...QUOTA_EXCEEDED, 'violated-policies': violatedPolicies(problem.states) };
}

export function failureResponse(
  failure: unknown,
  detail: ErrorDetail,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const problem = problemOf(failure);
  const details = detailsOf(problem, detail);
  const body = JSON.stringify({
    code: problem.rpcCode,
    message: problem.message,
    details,
    ...quotaMembers(problem),
  });
  const all: Record<string, string> = {
    'content-type': 'application/json',
    ...rateLimitFields(problem),
    ...headers,
  };
  const retryAfter = retryAfterOf(problem);
  if (retryAfter !== undefined) all['retry-after'] = String(retryAfter);
  return new Response(body, { status: problem.status, headers: all });
}
