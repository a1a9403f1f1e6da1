// Answer: what a runtime hears of a request that was answered, for its metrics, its log and its traces.

import type { Context } from 'hono';
import { routePath } from 'hono/route';
import type { Caller } from '../caller.ts';

export interface Answer {
  /** Lower-case, and a client's text like any of HTTP's tokens. */
  readonly method: string;
  readonly status: number;
  readonly milliseconds: number;
  readonly caller: Caller;
  /** The pattern of the route that answered, never the path that the client wrote; '' where there is none. */
  route(): string;
}

/** Where no route matched, the middleware's own did. */
const EVERYTHING = '/*';

/** As Answer.route. */
export function routeOf(c: Context): string {
  const path = routePath(c);
  return path === EVERYTHING ? '' : path;
}
