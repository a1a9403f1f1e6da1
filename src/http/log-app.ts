// Log app: the routes of an instance that is a log and nothing else.

import { Hono, type MiddlewareHandler } from 'hono';
import { describeLog, type LogIdentity } from '../log/description.ts';
import { Problem } from '../problem.ts';
import { cors } from './cors.ts';
import { type ErrorDetail, failureResponse, problemOf } from './failure.ts';
import type { Unreadiness } from './health.ts';
import { openApiRoutes } from './openapi.ts';

export interface LogAppDoor {
  readonly identity: LogIdentity;
  /** Path of the log on this server, such as `/log`; its routes in order. */
  readonly path: string;
  readonly routes: readonly Hono[];
  /** Public URL of that path, with a trailing slash. */
  readonly prefix: string;
  readiness(): readonly Unreadiness[];
  readonly errors: ErrorDetail;
  /** Told of every answer; `method` is lower-case. */
  onAnswer(method: string, status: number, milliseconds: number): void;
  /** Told of everything that ended as 500. */
  onBug(cause: unknown): void;
}

export function createLogApp(door: LogAppDoor): Hono {
  const app = new Hono();
  app.use(observe(door));
  app.use(cors);
  app.get('/healthz', (c) => c.json({ status: 'SERVING' }));
  app.get('/readyz', (c) => {
    const reasons = door.readiness();
    return reasons.length === 0 ? c.json({ status: 'READY' }) : c.json({ status: 'NOT_READY', reasons }, 503);
  });
  app.get('/.well-known/mayfly/log.json', (c) => c.json(describeLog(door.identity, door.prefix)));
  const url = door.prefix.slice(0, -door.path.length - 1);
  app.route('/', openApiRoutes({ url, parts: ['log', 'submission'] }));
  for (const routes of door.routes) app.route(door.path, routes);
  app.notFound(() => failureResponse(new Problem('not_found'), door.errors));
  app.onError((failure) => {
    const problem = problemOf(failure);
    if (problem.code === 'internal') door.onBug(problem.cause);
    return failureResponse(problem, door.errors);
  });
  return app;
}

function observe(door: LogAppDoor): MiddlewareHandler {
  return async (c, next) => {
    const started = performance.now();
    await next();
    door.onAnswer(c.req.method.toLowerCase(), c.res.status, performance.now() - started);
  };
}
