// Log app: the routes of an instance that is a log and nothing else.

import { Hono, type MiddlewareHandler } from 'hono';
import type { Caller } from '../caller.ts';
import { describeLog, type LogIdentity } from '../log/description.ts';
import { Problem } from '../problem.ts';
import { type Answer, routeOf } from './answer.ts';
import { cors } from './cors.ts';
import { type ErrorDetail, failureResponse, problemOf } from './failure.ts';
import { readinessResponse, servingResponse, type Unreadiness } from './health.ts';
import { openApiRoutes } from './openapi.ts';

export interface LogAppDoor {
  readonly identity: LogIdentity;
  /** Path of the log on this server, such as `/log`; its routes in order. */
  readonly path: string;
  readonly routes: readonly Hono[];
  /** Public URL of that path, with a trailing slash. */
  readonly prefix: string;
  readiness(): Promise<readonly Unreadiness[]>;
  readonly errors: ErrorDetail;
  /** As Door.callerOf. */
  callerOf?(request: Request, environment: unknown): Caller;
  /** Told of every answer. */
  onAnswer(answer: Answer): void;
  /** Told of everything that ended as 500. */
  onBug(cause: unknown): void;
}

export function createLogApp(door: LogAppDoor): Hono {
  const app = new Hono();
  app.use(observe(door));
  app.use(cors);
  app.get('/healthz', servingResponse);
  app.get('/readyz', async () => readinessResponse(await door.readiness()));
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
    const caller = door.callerOf?.(c.req.raw, c.env) ?? {};
    await next();
    const { requestId } = caller;
    if (requestId !== undefined) c.res.headers.set('x-request-id', requestId);
    door.onAnswer({
      method: c.req.method.toLowerCase(),
      status: c.res.status,
      milliseconds: performance.now() - started,
      caller,
      route: () => routeOf(c),
    });
  };
}
