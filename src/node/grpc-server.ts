// gRPC server: HTTP/2 and HTTP/1.1 on one port, in clear or over TLS, with a drain that finishes what it took.

import { createServer } from 'node:http';
import {
  createServer as createHttp2Server,
  createSecureServer,
  type Http2SecureServer,
  type Http2Server,
  type Http2Session,
} from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { NodeListener } from './grpc-listener.ts';
import { bound, MAX_HEADER_BYTES, SERVER_OPTIONS } from './http-server.ts';
import { sniff } from './protocol-sniffer.ts';

export interface GrpcServer {
  readonly port: number;
  /** Stops accepting, closes idle connections at once, and resolves when every accepted request is answered. */
  close(): Promise<void>;
}

/** PEM: the certificate with those that lead to its root, and its private key. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly key: string;
}

/** Milliseconds. */
const SILENCE = 10_000; // of a connection that says nothing, or not all of its TLS handshake
const IDLE = 300_000; // of an HTTP/2 connection without requests; clients open another
const REQUEST = 60_000; // the whole of a call over HTTP/2

const HTTP2_OPTIONS = {
  settings: { maxConcurrentStreams: 250, maxHeaderListSize: MAX_HEADER_BYTES },
  unknownProtocolTimeout: SILENCE,
};

/** In clear without `tls`. Rejects with the system's error when the address cannot be bound or the key does not fit. */
export async function listenGrpc(
  listener: NodeListener,
  host: string,
  port: number,
  tls?: TlsIdentity,
): Promise<GrpcServer> {
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  let closing = false;
  const answer: NodeListener = (request, response) => {
    if (request.httpVersionMajor === 1) {
      if (closing) response.setHeader('connection', 'close');
      response.once('finish', () => closing && request.socket.destroySoon()); // it may have been kept alive before
    }
    listener(request, response);
  };
  const watch = (session: Http2Session): void => {
    if (closing) session.close();
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  };
  const server = tls === undefined ? clearServer(answer, watch) : secureServer(answer, watch, tls);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await bound(server, host, port);
  return {
    port: (server.address() as AddressInfo).port, // listening on a port, not on a pipe
    close: () =>
      new Promise((resolve) => {
        closing = true;
        server.close(() => resolve());
        for (const session of sessions) session.close(); // GOAWAY; streams that are open finish
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      }),
  };
}

type Watch = (session: Http2Session) => void;

/** An HTTP/1.1 server that hands connections which begin as HTTP/2 to an HTTP/2 one. */
function clearServer(answer: NodeListener, watch: Watch): Server {
  const http2 = createHttp2Server(HTTP2_OPTIONS, answer);
  limitTime(http2.on('session', watch));
  const http1 = createServer(SERVER_OPTIONS, answer);
  const serveHttp1 = http1.listeners('connection');
  http1.removeAllListeners('connection');
  http1.on('connection', (socket: Socket) => {
    sniff(socket, SILENCE, (protocol) => {
      if (protocol === 'http1') {
        for (const serve of serveHttp1) serve.call(http1, socket);
        return;
      }
      socket.allowHalfOpen = false; // HTTP/1.1 wants it open; HTTP/2 would never notice that its client has gone
      http2.emit('connection', socket);
    });
  });
  return http1;
}

/** TLS 1.3 as Fulcio demands; ALPN tells HTTP/2 and HTTP/1.1 apart. */
function secureServer(answer: NodeListener, watch: Watch, tls: TlsIdentity): Server {
  const options = {
    ...HTTP2_OPTIONS,
    ...SERVER_OPTIONS,
    allowHTTP1: true,
    cert: tls.certificate,
    key: tls.key,
    minVersion: 'TLSv1.3',
    handshakeTimeout: SILENCE,
  } as const;
  let server: Http2SecureServer;
  try {
    server = createSecureServer(options, answer);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : '';
    throw new Error(`the TLS certificate and key of gRPC cannot be used: ${reason}`, { cause });
  }
  limitTime(server.on('session', watch));
  return server;
}

function limitTime(server: Http2Server | Http2SecureServer): void {
  server.on('session', (session) => session.setTimeout(IDLE, () => session.close()));
  server.on('stream', (stream) => {
    const late = setTimeout(() => stream.destroy(), REQUEST);
    stream.once('close', () => clearTimeout(late));
  });
}
