// App: the routes of the certificate API; each handler parses, walks the line, and answers.

import { Hono, type MiddlewareHandler } from 'hono';
import { rateLimitHeaders } from '../admission/rate-limit-headers.ts';
import type { Caller } from '../caller.ts';
import type { Authority } from '../certificate/authority.ts';
import type { Certificate } from '../certificate/certificate.ts';
import type { Clock } from '../clock.ts';
import type { IssuerListing } from '../config/settings.ts';
import { type IssuanceRequest, issue, type Line } from '../issuance.ts';
import { Problem } from '../problem.ts';
import { type Answer, routeOf } from './answer.ts';
import { readText } from './body.ts';
import type { PemChain } from './ca-information.ts';
import * as information from './ca-information.ts';
import { cors, corsHeaders } from './cors.ts';
import { type ErrorDetail, failureResponse, problemOf } from './failure.ts';
import { readinessResponse, servingResponse, type Unreadiness } from './health.ts';
import * as v1 from './signing-cert-v1.ts';
import * as v2 from './signing-cert-v2.ts';

/** What the routes stand on; runtimes wire it. Functions are asked anew for each request, so that a reload shows. */
export interface Door {
  line(): Line;
  listings(): readonly IssuerListing[];
  /** What the trust bundle holds, oldest first; the chain of the line's authority alone unless given. */
  chains?(): readonly PemChain[];
  readiness(): Promise<readonly Unreadiness[]>;
  /** Who asks, made once for each request; `environment` is what the runtime gave `fetch` beside the request. */
  callerOf?(request: Request, environment: unknown): Caller;
  readonly clock: Clock;
  readonly errors: ErrorDetail;
  /** Told of every answer. */
  onAnswer?(answer: Answer): void;
  /** Told of every gRPC call. */
  readonly calls?: CallObserver | undefined;
  /** Told of everything that ended as 500; the caller where it is at hand. */
  onBug?(cause: unknown, caller?: Caller): void;
  /** Told of everything that ended as 503; the cause says which part of ours failed, and how. */
  onUnavailable?(problem: Problem, caller?: Caller): void;
}

/** What a runtime hears of a gRPC call. */
export interface CallObserver {
  started(method: GrpcMethod): void;
  /** `code` is that of gRPC, such as `OK` or `InvalidArgument`. */
  handled(method: GrpcMethod, code: string, milliseconds: number, caller: Caller): void;
}

export interface GrpcMethod {
  /** With its package. */
  readonly service: string;
  readonly method: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const PEM_TYPE = { 'content-type': 'application/pem-certificate-chain' };

/** Further routes below a path, such as the log's. */
export interface Face {
  readonly path: string;
  readonly routes: Hono;
}

declare module 'hono' {
  interface ContextVariableMap {
    /** Made by the first middleware, for all routes. */
    caller?: Caller;
  }
}

export function createApp(door: Door, faces: readonly Face[] = []): Hono {
  const app = new Hono();
  app.use(observe(door));

  issuance('/api/v2/signingCert', v2.parseRequest, (certificate, authority, headers) => {
    return new Response(v2.responseBody(certificate, authority), { headers: { ...JSON_TYPE, ...headers } });
  });
  issuance('/api/v1/signingCert', v1.parseRequest, (certificate, authority, headers) => {
    const chain = v2.pemChain(certificate, authority).join('\n');
    return new Response(chain, { status: 201, headers: { ...PEM_TYPE, ...headers } });
  });

  // For all routes that follow.
  app.use(cors);
  app.use(async (c, next) => {
    await next();
    // A request that was passed on bears the id by which whoever answered it tells of it.
    for (const [name, value] of Object.entries(idHeader(c.get('caller'))))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  });

  get(app, '/api/v2/trustBundle', () => json(information.trustBundle(trustedChains(door))));
  get(app, '/api/v2/configuration', () => json(information.configuration(door.listings())));
  get(
    app,
    '/api/v1/rootCert',
    () => new Response(information.rootCert(door.line().authority), { headers: PEM_TYPE }),
  );
  get(app, '/healthz', servingResponse);
  get(app, '/readyz', async () => readinessResponse(await door.readiness()));

  for (const path of ['/api/v2/signingCert', '/api/v1/signingCert'])
    app.all(path, () => refuseMethod('POST', door));
  for (const { path, routes } of faces) app.route(path, routes);
  app.notFound(() => failureResponse(new Problem('not_found'), door.errors));
  app.onError((failure, c) => failed(failure, c.get('caller')));
  return app;

  function failed(
    failure: unknown,
    caller: Caller | undefined,
    headers: Readonly<Record<string, string>> = {},
  ): Response {
    const problem = problemOf(failure);
    if (problem.code === 'internal') door.onBug?.(problem.cause, caller);
    else if (problem.status === 503) door.onUnavailable?.(problem, caller);
    return failureResponse(problem, door.errors, headers);
  }

  /** The busiest routes; they write all headers at once, as taking a Response apart again costs 10 us. */
  function issuance(
    path: string,
    parse: (text: string, headers: Headers) => IssuanceRequest,
    answer: (issued: Certificate, by: Authority, headers: Readonly<Record<string, string>>) => Response,
  ): void {
    app.post(path, async (c) => {
      const { raw } = c.req;
      const caller = c.get('caller');
      const shared = { ...corsHeaders(raw.headers), ...idHeader(caller) };
      try {
        const request = parse(await readText(raw), raw.headers);
        const line = door.line();
        const certificate = await issue(request, line, door.clock.now(), caller);
        return answer(certificate, line.authority, { ...limitsAfter(certificate), ...shared });
      } catch (failure) {
        return failed(failure, caller, shared);
      }
    });
  }

  /** A GET route; the gateway that clients know also serves it to a form POST. */
  function get(on: Hono, path: string, answer: () => Response | Promise<Response>): void {
    on.all(path, (c) => {
      const form = c.req.header('content-type')?.startsWith('application/x-www-form-urlencoded') === true;
      const { method } = c.req.raw;
      const probe = method === 'HEAD' && !path.startsWith('/api/');
      return method === 'GET' || probe || (method === 'POST' && form) ? answer() : refuseMethod('GET', door);
    });
  }
}

export function trustedChains(door: Pick<Door, 'line' | 'chains'>): readonly PemChain[] {
  return door.chains?.() ?? [door.line().authority.pem];
}

function idHeader({ requestId }: Caller = {}): Readonly<Record<string, string>> {
  return requestId === undefined ? {} : { 'x-request-id': requestId };
}

function limitsAfter(certificate: Certificate): Readonly<Record<string, string>> {
  return rateLimitHeaders(certificate.draft.admission.states);
}

function refuseMethod(allow: string, door: Door): Response {
  return failureResponse(new Problem('method_not_allowed'), door.errors, { allow });
}

function json(body: string): Response {
  return new Response(body, { headers: JSON_TYPE });
}

function observe(door: Door): MiddlewareHandler {
  return async (c, next) => {
    const started = performance.now();
    const caller = door.callerOf?.(c.req.raw, c.env) ?? {};
    c.set('caller', caller);
    await next();
    door.onAnswer?.({
      method: c.req.method.toLowerCase(),
      status: c.res.status,
      milliseconds: performance.now() - started,
      caller,
      route: () => routeOf(c),
    });
  };
}
