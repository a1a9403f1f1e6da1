// Listener: a port that serves HTTP/1.1 and HTTP/2 within limits of time and number, in clear or over TLS, with a drain that finishes what it took.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { throttled } from '../system/throttled.ts';
import { Http2Sessions } from './http2-sessions.ts';
import { checkEvery, DEFAULT_LIMITS, type ListenerLimits, silenceAllowed } from './listener-limits.ts';
import { sniff } from './protocol-sniffer.ts';
import { clientPolicy, type LeastVersion, secureContext, type TlsIdentity } from './tls-identity.ts';

export type NodeListener = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
) => void;

export interface ListenerOptions {
  /** In clear without. */
  readonly tls?: TlsIdentity | undefined;
  /** 1.2 unless given. */
  readonly minVersion?: LeastVersion;
  /** Whether clients that show no certificate are served although there is a client CA. */
  readonly openToAll?: boolean;
  /** Whether HTTP/2 is spoken in clear too. */
  readonly http2InClear?: boolean;
  readonly limits?: ListenerLimits;
  /** Whether other processes listen on the port too; the system gives each connection to one of them. */
  readonly shared?: boolean;
  /** Told when a client is turned away because there are too many; not more often than each ten seconds. */
  readonly onFull?: () => void;
}

export interface Listener {
  readonly port: number;
  /** Connections that are open now. */
  readonly connections: number;
  /** Connections that were turned away because there were too many. */
  readonly dropped: number;
  /** Shows another certificate to new connections; those that are open go on. Nothing without TLS. */
  renew(identity: TlsIdentity): void;
  /**
   * Stops accepting, closes idle connections at once, and resolves when every accepted request is answered. Who has not sent
   * all of a request by the time-outs for headers and request together is not waited for.
   */
  close(): Promise<void>;
}

/** A 16 KiB token may travel in a header. */
export const MAX_HEADER_BYTES = 32 * 1024;

/** Ms between two times that room is made: a client that has just come in can begin. */
const ROOM_EVERY = 1_000;
/** Ms between two words about it. */
export const WORD_EVERY = 10_000;

/** Rejects with the system's error when the address cannot be bound, or the certificate does not fit its key. */
export async function openListener(
  answer: NodeListener,
  host: string,
  port: number,
  options: ListenerOptions = {},
): Promise<Listener> {
  const { limits = DEFAULT_LIMITS, minVersion = 'TLSv1.2', shared = false, onFull } = options;
  const sockets = new Map<Socket, number>(); // when each was opened
  const sessions = new Http2Sessions(limits);
  let closing = false;
  let dropped = 0;
  const serve: NodeListener = (request, response) => {
    if (request.httpVersionMajor === 1) {
      if (closing) response.setHeader('connection', 'close');
      response.once('finish', () => closing && request.socket.destroySoon()); // it may have been kept alive before
    }
    answer(request, response);
  };
  const server = serverOf(serve, sessions, limits, options);
  const keep = (socket: Socket): void => {
    sockets.set(socket, performance.now());
    socket.once('close', () => sockets.delete(socket));
  };
  server.on('connection', keep);
  server.maxConnections = limits.connections;
  server.setTimeout(silenceAllowed(limits));
  const closeSilent = (olderThan: number): void => {
    const now = performance.now();
    for (const [socket, since] of sockets)
      if (socket.bytesRead === 0 && now - since >= olderThan) socket.destroy();
  };
  const makeRoom = throttled(ROOM_EVERY, () => {
    closeIdle(server);
    sessions.makeRoom(ROOM_EVERY);
    closeSilent(ROOM_EVERY);
  });
  const tell = throttled(WORD_EVERY, () => onFull?.());
  server.on('drop', () => {
    dropped += 1;
    makeRoom();
    tell();
  });
  await bound(server, host, port, shared);
  const sweeping = setInterval(() => sessions.sweep(), checkEvery(limits)).unref();
  return {
    port: (server.address() as AddressInfo).port, // listening on a port, not on a pipe
    get connections() {
      return sockets.size;
    },
    get dropped() {
      return dropped;
    },
    renew(identity) {
      if ('setSecureContext' in server) server.setSecureContext(secureContext(identity, minVersion));
    },
    close: () =>
      new Promise((resolve) => {
        closing = true;
        // Node looks for time-outs no more, so whoever drips on is cut off once all requests must have arrived.
        const late = setTimeout(() => {
          for (const socket of sockets.keys()) socket.destroy();
        }, limits.requestTimeoutMs + limits.headerTimeoutMs);
        server.close(() => {
          clearTimeout(late);
          clearInterval(sweeping);
          resolve();
        });
        closeIdle(server);
        sessions.close();
        closeSilent(0);
      }),
  };
}

function serverOf(
  serve: NodeListener,
  sessions: Http2Sessions,
  limits: ListenerLimits,
  options: ListenerOptions,
): Server | Http2SecureServer {
  const { tls, minVersion = 'TLSv1.2', openToAll = false, http2InClear = false } = options;
  if (tls !== undefined) {
    const secured = createSecureServer(
      {
        ...http1Options(limits),
        ...http2Options(limits),
        ...secureContext(tls, minVersion),
        ...clientPolicy(tls, openToAll),
        allowHTTP1: true,
        handshakeTimeout: limits.headerTimeoutMs,
      },
      serve,
    );
    sessions.follow(secured);
    return secured;
  }
  const http1 = createServer(http1Options(limits), serve);
  if (http2InClear) {
    const http2 = createHttp2Server(http2Options(limits), serve);
    sessions.follow(http2);
    divide(http1, limits, (socket) => http2.emit('connection', socket));
  }
  return http1;
}

function http1Options(limits: ListenerLimits) {
  return {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: limits.headerTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: checkEvery(limits),
  };
}

function http2Options({ headerTimeoutMs }: ListenerLimits) {
  return {
    settings: { maxConcurrentStreams: 250, maxHeaderListSize: MAX_HEADER_BYTES },
    unknownProtocolTimeout: headerTimeoutMs,
  };
}

/** Hands connections that begin as HTTP/2 over, and leaves the others to the server of HTTP/1.1. */
function divide(
  http1: Server,
  { headerTimeoutMs }: ListenerLimits,
  serveHttp2: (socket: Socket) => void,
): void {
  const serveHttp1 = http1.listeners('connection');
  http1.removeAllListeners('connection');
  http1.on('connection', (socket: Socket) => {
    sniff(socket, headerTimeoutMs, (protocol) => {
      if (protocol === 'http1') {
        for (const serve of serveHttp1) serve.call(http1, socket);
        return;
      }
      socket.allowHalfOpen = false; // HTTP/1.1 wants it open; HTTP/2 would never notice that its client has gone
      serveHttp2(socket);
    });
  });
}

/** Over HTTP/1.1. Node's secure server has the method too, which its types do not know. */
function closeIdle(server: (Server | Http2SecureServer) & { closeIdleConnections?(): void }): void {
  server.closeIdleConnections?.();
}

function bound(
  server: Server | Http2SecureServer,
  host: string,
  port: number,
  reusePort: boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, reusePort }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
