// Relay: requests for what the sequencer serves (log, timestamps, trust documents), passed on by the worker that they reached.

import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants, createServer } from 'node:http2';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import type { Face } from '../../http/app.ts';
import { MAX_BODY, readBytes } from '../../http/body.ts';
import { Problem } from '../../problem.ts';
import type { FetchHandler } from '../listener/http-server.ts';

/** Serves what comes over the stream, whose other end is a worker's. */
export function serveRelay(stream: Duplex, handler: FetchHandler): void {
  const answer = getRequestListener(handler);
  const server = createServer((request, response) => void answer(request, response));
  server.on('sessionError', () => stream.destroy());
  stream.on('error', () => stream.destroy()); // the worker has ended
  server.emit('connection', stream);
}

/** Mean for one connection (RFC 9110 section 7.6.1), or written anew. */
const OWN = new Set([
  'connection',
  'host',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
  'content-length',
]);

/** Passes everything on that no route before it takes. */
export function relayFace(stream: Duplex): Face {
  const session = connect('http://sequencer', { createConnection: () => stream });
  session.on('error', () => stream.destroy());
  const routes = new Hono();
  routes.all('*', ({ req }) => pass(session, req.raw));
  return { path: '/', routes };
}

async function pass(session: ClientHttp2Session, request: Request): Promise<Response> {
  const { method } = request;
  const { host, pathname, search } = new URL(request.url);
  const body = await readBytes(request, MAX_BODY);
  const headers: Record<string, string> = {
    [constants.HTTP2_HEADER_METHOD]: method,
    [constants.HTTP2_HEADER_PATH]: pathname + search,
    [constants.HTTP2_HEADER_AUTHORITY]: host,
  };
  for (const [name, value] of request.headers) if (!OWN.has(name)) headers[name] = value;
  try {
    const stream = session.request(headers, { endStream: body.length === 0 });
    const failed = once(stream, 'close').then(() => Promise.reject(new Error('no answer')));
    failed.catch(() => undefined);
    if (body.length > 0) stream.end(body);
    const [answer] = await Promise.race([once(stream, 'response'), failed]);
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return responseOf(answer, Buffer.concat(chunks), method);
  } catch (cause) {
    throw new Problem('log_unavailable', { cause });
  }
}

function responseOf(
  answer: Readonly<Record<string, unknown>>,
  body: Buffer<ArrayBuffer>,
  method: string,
): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer))
    if (!name.startsWith(':') && !OWN.has(name) && typeof value === 'string') headers.set(name, value);
  const status = Number(answer[constants.HTTP2_HEADER_STATUS]);
  const none = method === 'HEAD' || status === 204 || status === 304;
  return new Response(none ? null : body, { status, headers });
}
