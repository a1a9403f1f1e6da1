// gRPC listener: the gRPC face behind Node's requests and responses, of HTTP/1.1 and HTTP/2 alike.

import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  constants,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Stream,
} from 'node:http2';
import { createContextValues } from '@connectrpc/connect';
import type { UniversalHandlerFn, UniversalServerRequest } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import { CALLER } from '../../grpc/certificate-authority.ts';
import type { NodeListener } from './listener.ts';
import type { CallerReader } from './node-caller.ts';

/**
 * `callerOf` makes a caller of the headers and the address at the other end. `onLost` is told why an answer did not reach
 * its client; most hang up before it does.
 */
export function grpcListener(
  face: UniversalHandlerFn,
  onLost: (cause: unknown) => void,
  callerOf: CallerReader['of'] = () => ({}),
): NodeListener {
  return (request, response) => {
    const universal = translate(request, response, callerOf);
    if (universal === undefined) {
      response.statusCode = 400;
      response.end();
      return;
    }
    if ('stream' in request) endWithAnswer(request.stream);
    face(universal)
      .then((answer) => {
        request.resume(); // what nobody read is dropped, or the connection would stay occupied by it
        return universalResponseToNodeResponse(answer, response);
      })
      .catch(onLost);
  };
}

/**
 * A client whose answer came before its request had ended may leave it at that, so the stream is closed here, without error
 * (RFC 9113 section 8.1).
 */
function endWithAnswer(stream: ServerHttp2Stream): void {
  stream.once('wantTrailers', () => {
    setImmediate(() => {
      if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    });
  });
}

/** Undefined for a request whose authority or path makes no URL; the library throws then, out of reach of any promise. */
function translate(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  callerOf: CallerReader['of'],
): UniversalServerRequest | undefined {
  try {
    const universal = universalRequestFromNodeRequest(request, response, undefined, undefined);
    // The library's own iterator destroys the request when its reader stops early, and an HTTP/1.1 answer with it.
    const caller = callerOf(universal.header, request.socket.remoteAddress, universal.url);
    return {
      ...universal,
      contextValues: createContextValues().set(CALLER, caller),
      body: { [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) },
    };
  } catch {
    return undefined;
  }
}
