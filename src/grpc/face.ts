// gRPC face: every service over gRPC, gRPC-Web and Connect, as one function from request to response.

import { cors, createConnectRouter } from '@connectrpc/connect';
import type { Compression, UniversalHandlerFn, UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { Door } from '../http/app.ts';
import { MAX_BODY } from '../http/body.ts';
import { certificateAuthority } from './certificate-authority.ts';
import { problemsAsStatus } from './failure.ts';
import { CA } from './generated/dev/sigstore/fulcio/v2/ca_pb.ts';
import { Health } from './generated/grpc/health/v1/health_pb.ts';
import { health } from './health.ts';
import { observed } from './observation.ts';

const UNIMPLEMENTED = '12';

/** `compressions` are those that requests may come in; answers are small and go out as they are. */
export function grpcFace(door: Door, compressions: readonly Compression[] = []): UniversalHandlerFn {
  const router = createConnectRouter({
    interceptors: [observed(door), problemsAsStatus(door)],
    acceptCompression: [...compressions],
    compressMinBytes: Number.MAX_SAFE_INTEGER,
    readMaxBytes: MAX_BODY,
    jsonOptions: { alwaysEmitImplicit: true }, // as REST does
  });
  router.service(CA, certificateAuthority(door));
  router.service(Health, health(door));
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return async (request) => {
    const browser = request.header.has('origin');
    if (browser && request.method === 'OPTIONS') return preflight();
    const handler = handlers.get(new URL(request.url).pathname);
    const response = handler
      ? plainMessage(await handler(request))
      : unknownMethod(request.header.get('content-type') ?? '');
    return browser ? exposed(response) : response;
  };
}

/** A status for gRPC clients, whom a bare 404 tells less; Connect reads the 404. */
function unknownMethod(contentType: string): UniversalServerResponse {
  const header = new Headers({ 'content-type': contentType });
  const status = new Headers({ 'grpc-status': UNIMPLEMENTED, 'grpc-message': 'unknown method' });
  if (contentType.startsWith('application/grpc-web')) {
    for (const [name, value] of status) header.set(name, value); // where a browser finds no trailers
    return { status: 200, header };
  }
  if (contentType.startsWith('application/grpc')) return { status: 200, header, trailer: status };
  return { status: 404 };
}

/**
 * The library escapes every reserved character of `grpc-message`, and @grpc/grpc-js, for one, does not take that back. The
 * protocol asks for % and what is not printable ASCII alone (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
 */
function plainMessage(response: UniversalServerResponse): UniversalServerResponse {
  const message = response.trailer?.get('grpc-message');
  if (message) {
    const plain = decodeURIComponent(message).replace(/[^\x20-\x24\x26-\x7e]/gu, encodeURIComponent);
    response.trailer?.set('grpc-message', plain);
  }
  return response;
}

/** Browsers may call from anywhere, as over REST: what counts is the token. */
function preflight(): UniversalServerResponse {
  const header = new Headers({
    'access-control-allow-origin': '*',
    'access-control-allow-methods': cors.allowedMethods.join(', '),
    'access-control-allow-headers': [...cors.allowedHeaders, 'oidcidentitytoken'].join(', '),
    'access-control-max-age': '7200', // seconds; browsers keep it no longer
  });
  return { status: 204, header };
}

function exposed(response: UniversalServerResponse): UniversalServerResponse {
  const header = new Headers(response.header);
  header.set('access-control-allow-origin', '*');
  header.set(
    'access-control-expose-headers',
    [...cors.exposedHeaders, 'Retry-After', 'X-Request-Id'].join(', '),
  );
  return { ...response, header };
}
