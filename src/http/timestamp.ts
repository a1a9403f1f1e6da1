// Timestamp face: RFC 3161 over HTTP, in its own form and in sigstore's JSON form (RFC 3161 section 3.4).

import { Hono } from 'hono';
import { encodePem } from '../encoding/pem.ts';
import { Problem } from '../problem.ts';
import type { TimestampAuthority } from '../timestamp/authority.ts';
import { parseJsonQuery } from '../timestamp/json-query.ts';
import { TimestampRejection } from '../timestamp/rejection.ts';
import { readBytes, readText } from './body.ts';
import { type ErrorDetail, failureResponse, problemOf } from './failure.ts';

/** Bytes; a query takes some 100, and the rest is room for a nonce nobody needs. */
const MAX_QUERY = 16_384;
const REPLY = { 'content-type': 'application/timestamp-reply' };
const PEM_CHAIN = { 'content-type': 'application/pem-certificate-chain' };

export interface TimestampDoor {
  /** Asked anew for each request. */
  readonly authority: TimestampAuthority;
  readonly errors: ErrorDetail;
  /** Told of everything that ended as 500. */
  onBug?(cause: unknown): void;
}

/** `POST /api/v1/timestamp` and `GET /api/v1/timestamp/certchain`. */
export function timestampRoutes(door: TimestampDoor): Hono {
  const app = new Hono();
  app.onError((failure) => {
    const problem = problemOf(failure);
    if (problem.code === 'internal') door.onBug?.(problem.cause);
    return failureResponse(problem, door.errors);
  });
  app.post('/api/v1/timestamp', ({ req }) => {
    const [mediaType = ''] = (req.header('content-type') ?? '').split(';');
    switch (mediaType.trim().toLowerCase()) {
      case 'application/timestamp-query':
        return answer(door.authority, req.raw);
      case 'application/json':
        return answerJson(door.authority, req.raw);
      default:
        throw new Problem('media_type_unsupported', {
          field: 'content-type',
          hint: 'application/timestamp-query or application/json.',
        });
    }
  });
  app.get('/api/v1/timestamp/certchain', () => {
    const chain = door.authority.chain.map((certificate) => encodePem('CERTIFICATE', certificate)).join('');
    return new Response(chain, { headers: PEM_CHAIN });
  });
  app.all('/api/v1/timestamp', () => refuseMethod('POST', door));
  app.all('/api/v1/timestamp/certchain', () => refuseMethod('GET', door));
  return app;
}

function refuseMethod(allow: string, door: TimestampDoor): Response {
  return failureResponse(new Problem('method_not_allowed'), door.errors, { allow });
}

/**
 * A rejection is an answer too and goes out with 200, so that RFC 3161 clients read the reason; only where the
 * authority itself is at fault does the status say so, for clients that keep any 2xx body as a timestamp.
 */
async function answer(authority: TimestampAuthority, request: Request): Promise<Response> {
  const { der, rejection } = await authority.answer(await readBytes(request, MAX_QUERY));
  if (rejection?.temporary !== true) return new Response(der, { headers: REPLY });
  return new Response(der, { status: 503, headers: { ...REPLY, 'retry-after': '1' } });
}

/** JSON clients look at the status alone, so here every rejection is a Problem, as sigstore's authority has it. */
async function answerJson(authority: TimestampAuthority, request: Request): Promise<Response> {
  const text = await readText(request, MAX_QUERY);
  try {
    return new Response(await authority.timestamp(parseJsonQuery(text)), { headers: REPLY });
  } catch (cause) {
    if (!(cause instanceof TimestampRejection)) throw cause;
    const { message, failure } = cause;
    const code = cause.temporary ? 'timestamp_unavailable' : 'request_malformed';
    throw new Problem(code, { message, metadata: { failInfo: failure }, cause });
  }
}
