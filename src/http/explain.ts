// POST /api/mayfly/v1/explain: what the line would make of a token, for those who show the operator's bearer token.

import { Hono } from 'hono';
import type { Sha256 } from '../encoding/digest.ts';
import { explain } from '../explanation.ts';
import { Problem } from '../problem.ts';
import type { Door } from './app.ts';
import { Bearers } from './bearers.ts';
import { readText } from './body.ts';
import { failureResponse, problemOf } from './failure.ts';

export const EXPLAIN_PATH = '/api/mayfly/v1/explain';

/** At least one bearer token. */
export function explainRoutes(door: Door, tokens: readonly string[], sha256: Sha256): Hono {
  const bearers = new Bearers(tokens, sha256);
  const app = new Hono();
  app.onError((failure) => {
    const problem = problemOf(failure);
    if (problem.code === 'internal') door.onBug?.(problem.cause);
    const challenge = problem.code === 'bearer_required' ? { 'www-authenticate': 'Bearer' } : {};
    return failureResponse(problem, door.errors, { 'cache-control': 'no-store', ...challenge });
  });
  app.post(EXPLAIN_PATH, async (c) => {
    if (!bearers.matches(c.req.header('authorization'))) throw new Problem('bearer_required');
    const token = tokenIn(await readText(c.req.raw));
    const body = JSON.stringify(explain(token, door.line().trust, door.clock.now()));
    return new Response(body, {
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    });
  });
  app.all(EXPLAIN_PATH, () =>
    failureResponse(new Problem('method_not_allowed'), door.errors, { allow: 'POST' }),
  );
  return app;
}

function tokenIn(text: string): string {
  const hint = 'A JSON object with the member "token": a JWT, whose last part may be left out.';
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new Problem('request_malformed', { message: 'the body is not JSON', hint, cause });
  }
  const token = typeof body === 'object' && body !== null && 'token' in body ? body.token : undefined;
  if (typeof token !== 'string')
    throw new Problem('request_malformed', { field: 'token', message: 'the body has no token', hint });
  return token;
}
