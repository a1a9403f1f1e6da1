// gRPC listener: the gRPC face behind Node's requests and responses, of HTTP/1.1 and HTTP/2 alike.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { UniversalHandlerFn, UniversalServerRequest } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';

export type NodeListener = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
) => void;

/** `onLost` is told why an answer did not reach its client; most hang up before it does. */
export function grpcListener(face: UniversalHandlerFn, onLost: (cause: unknown) => void): NodeListener {
  return (request, response) => {
    const universal = translate(request, response);
    if (universal === undefined) {
      response.statusCode = 400;
      response.end();
      return;
    }
    face(universal)
      .then((answer) => {
        request.resume(); // what nobody read is dropped, or the stream would stay open for it
        return universalResponseToNodeResponse(answer, response);
      })
      .catch(onLost);
  };
}

/** Undefined for a request whose authority or path makes no URL; the library throws then, out of reach of any promise. */
function translate(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
): UniversalServerRequest | undefined {
  try {
    const universal = universalRequestFromNodeRequest(request, response, undefined, undefined);
    // The library's own iterator destroys the request when its reader stops early, and an HTTP/1.1 answer with it.
    return {
      ...universal,
      body: { [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) },
    };
  } catch {
    return undefined;
  }
}
