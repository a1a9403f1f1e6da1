// Tracing: the traces of an instance's requests, and what a request is called in them.

import type { Answer } from '../../http/answer.ts';
import type { GrpcMethod } from '../../http/app.ts';
import type { Trace, TracedRequest } from '../../trace.ts';

export interface RequestTrace extends Trace {
  /** 32 hexadecimal digits: of traceparent, where the request brought one. */
  readonly traceId: string;
  /** Whether its spans are kept. */
  readonly sampled: boolean;
}

export interface Tracing {
  begin(headers: Headers): RequestTrace;
  /** Sends what waits, and gives up soon. */
  close(): Promise<void>;
}

/** As OpenTelemetry's conventions for HTTP name it; a method that is none of HTTP's is not repeated. */
export function tracedAnswer({ method, status, route, caller }: Answer): TracedRequest {
  const known = /^(?:get|head|post|put|patch|delete|options)$/.test(method) ? method.toUpperCase() : '_OTHER';
  const path = route();
  return {
    name: path === '' ? known : `${known} ${path}`,
    attributes: {
      'http.request.method': known,
      'http.response.status_code': status,
      ...(path !== '' && { 'http.route': path }),
      'mayfly.request_id': caller.requestId ?? '',
    },
    failed: status >= 500,
  };
}

export function tracedCall(
  { service, method }: GrpcMethod,
  code: string,
  { requestId = '' }: Answer['caller'],
): TracedRequest {
  return {
    name: `${service}/${method}`,
    attributes: {
      'rpc.system.name': 'grpc',
      'rpc.method': `${service}/${method}`,
      'rpc.response.status_code': code,
      'mayfly.request_id': requestId,
    },
    failed: OURS.has(code),
  };
}

/** What a server is at fault for; the rest is the client's. */
const OURS = new Set(['Unknown', 'DeadlineExceeded', 'Unimplemented', 'Internal', 'Unavailable', 'DataLoss']);
