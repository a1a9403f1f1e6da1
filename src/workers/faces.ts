// Faces: what a Worker serves beside certificates: the log, timestamps, the trust documents, and metrics.

import { type Context, Hono } from 'hono';
import type { Clock } from '../clock.ts';
import { type AlsoTrustedKeys, rootsOf } from '../http/also-trusted.ts';
import type { Face } from '../http/app.ts';
import { failureResponse, problemOf } from '../http/failure.ts';
import { logRoutes } from '../http/log.ts';
import { timestampRoutes } from '../http/timestamp.ts';
import { trustRoutes } from '../http/trust.ts';
import { trustMaterialOf } from '../http/trust-material.ts';
import { describeLog } from '../log/description.ts';
import type { Reader } from '../log/reader.ts';
import { TimestampAuthority } from '../timestamp/authority.ts';
import type { TrustMaterial } from '../trust/material.ts';
import { random, sha256 } from './crypto.ts';
import type { EdgeLog } from './edge-log.ts';
import type { KnownExternalLog } from './external-logs.ts';
import type { Instance } from './instance.ts';
import { metricsText } from './metrics.ts';
import type { EdgeSettings } from './settings.ts';

export interface FacesOptions {
  readonly settings: EdgeSettings;
  readonly instance: Instance;
  readonly builtin: EdgeLog | undefined;
  readonly external: readonly KnownExternalLog[];
  readonly also: AlsoTrustedKeys;
  readonly clock: Clock;
  readonly onBug: (cause: unknown) => void;
}

export function facesOf(options: FacesOptions): Face[] {
  const { settings, instance, builtin, onBug } = options;
  const { errors } = settings;
  const material = materialOf(options);
  const metrics = new Hono();
  metrics.get('/metrics', async () => metricsText(instance.authority, builtin));
  return [
    ...(builtin === undefined ? [] : [logFace(builtin, options)]),
    ...timestampFaces(options),
    { path: '/', routes: trustRoutes({ material: () => material, errors, onBug }) },
    { path: '/', routes: metrics },
  ];
}

/** The routes are made anew for each checkpoint: what they show does not change while they answer. */
function logFace(log: EdgeLog, { settings, instance, also, onBug }: FacesOptions): Face {
  const { errors, publicUrl } = settings;
  const prefix = `${publicUrl}/log/`;
  const roots = rootsOf([{ chain: instance.authority.chain }, ...also.authorities]);
  let latest: { readonly reader: Reader; readonly routes: Hono } | undefined;
  const routesOf = (reader: Reader): Hono => {
    if (latest?.reader !== reader) {
      const routes = logRoutes({ reader, prefix: () => prefix, roots: () => roots, errors, onBug });
      latest = { reader, routes: new Hono().route('/log', routes) };
    }
    return latest.routes;
  };
  const face = new Hono();
  face.onError((failure) => {
    const problem = problemOf(failure);
    if (problem.code === 'internal') onBug(problem.cause);
    return failureResponse(problem, errors, { 'cache-control': 'no-store' });
  });
  face.get('/.well-known/mayfly/log.json', async (c) => {
    const { identity } = await log.reader();
    return c.json(describeLog(identity, prefix));
  });
  const serve = async (c: Context): Promise<Response> => {
    const response = await routesOf(await log.reader()).fetch(asSent(c.req.raw));
    return response.headers.has('content-encoding') ? alreadyEncoded(response) : response;
  };
  face.all('/log', serve);
  face.all('/log/*', serve);
  return { path: '/', routes: face };
}

/** The platform tells Workers that every client takes gzip, and aside what this one said. */
function asSent(request: Request): Request {
  const said: unknown = request.cf?.['clientAcceptEncoding'];
  if (typeof said !== 'string') return request;
  const headers = new Headers(request.headers);
  headers.set('accept-encoding', said);
  return new Request(request, { headers });
}

/** Without being told, workerd would compress a second time. */
function alreadyEncoded({ body, headers, status }: Response): Response {
  return new Response(body, { headers, status, encodeBody: 'manual' });
}

function timestampFaces({ instance, settings: { errors }, clock, onBug }: FacesOptions): Face[] {
  if (instance.timestamp === undefined) return [];
  const { signer, chain } = instance.timestamp;
  const authority = new TimestampAuthority({ signer, chain, sha256, random, clock });
  return [{ path: '/', routes: timestampRoutes({ authority, errors, onBug }) }];
}

function materialOf({ instance, builtin, external, settings, also }: FacesOptions): TrustMaterial {
  const { publicUrl, issuers } = settings;
  const { authority, timestamp } = instance;
  const own = builtin === undefined ? [] : [{ url: `${publicUrl}/log`, spki: builtin.publicKey }];
  const elsewhere = external.map(({ url, publicKey: { spki } }) => ({ url, spki }));
  const logs = [...own, ...elsewhere];
  return trustMaterialOf(
    {
      publicUrl,
      authorities: [{ chain: authority.chain }],
      timestamps: timestamp === undefined ? [] : [{ chain: timestamp.chain }],
      logs,
      issuers,
      also,
    },
    sha256,
  );
}
