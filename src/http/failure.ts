// Failure: a Problem becomes google.rpc.Status as JSON, once, at the door.

import { Problem } from '../problem.ts';

/** `helpful` adds details to Fulcio's sentence; `terse` leaves exactly that. */
export type ErrorDetail = 'helpful' | 'terse';

const ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo';
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest';
const LOCALIZED = 'type.googleapis.com/google.rpc.LocalizedMessage';

/** Anything that is no Problem is a bug: it is answered with 500 and none of its text. */
export function problemOf(failure: unknown): Problem {
  return failure instanceof Problem ? failure : new Problem('internal', { cause: failure });
}

/** The `details` of google.rpc.Status; each carries its `@type`. */
export function detailsOf(problem: Problem): readonly object[] {
  const { field, hint } = problem;
  const metadata = { ...problem.metadata, ...(field === undefined ? {} : { field }) };
  const details: object[] = [{ '@type': ERROR_INFO, reason: problem.reason, domain: 'mayfly', metadata }];
  if (hint !== undefined && field !== undefined) {
    details.push({ '@type': BAD_REQUEST, fieldViolations: [{ field, description: hint }] });
  } else if (hint !== undefined) {
    details.push({ '@type': LOCALIZED, locale: 'en', message: hint });
  }
  return details;
}

/** Routing answers carry no details, as there is nothing to add to them. */
const PLAIN = new Set(['not_found', 'method_not_allowed']);

export function failureResponse(
  failure: unknown,
  detail: ErrorDetail,
  headers: Record<string, string> = {},
): Response {
  const problem = problemOf(failure);
  const details = detail === 'terse' || PLAIN.has(problem.code) ? [] : detailsOf(problem);
  const body = JSON.stringify({ code: problem.rpcCode, message: problem.message, details });
  const all: Record<string, string> = { 'content-type': 'application/json', ...headers };
  if (problem.retryAfter !== undefined)
    all['retry-after'] = String(Math.max(1, Math.ceil(problem.retryAfter)));
  return new Response(body, { status: problem.status, headers: all });
}
