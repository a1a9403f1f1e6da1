// The server's sockets: which protocol a connection speaks, what becomes of those that speak none, and how all of it ends.

import { request as http1Request } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { grpcListener } from '../../../src/node/listener/grpc-listener.ts';
import { type GrpcServer, listenGrpc } from '../../../src/node/listener/grpc-server.ts';
import { sniff } from '../../../src/node/listener/protocol-sniffer.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = '\0\0\0\x04\0\0\0\0\0';
const GET = 'GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';

let server: GrpcServer;
let url: string;

/** Answers after a look at the beginning of the body. */
async function open(status = 200): Promise<void> {
  server = await listenGrpc(
    grpcListener(
      async ({ httpVersion, body }) => {
        if (typeof body === 'object' && body !== null && Symbol.asyncIterator in body) {
          for await (const _ of body) break;
        }
        return { status, header: new Headers({ version: httpVersion }) };
      },
      () => {},
    ),
    '127.0.0.1',
    0,
  );
  url = `http://127.0.0.1:${server.port}`;
}

function raw(): { socket: Socket; first: Promise<Buffer>; ended: Promise<string> } {
  const socket = connect(server.port, '127.0.0.1').setNoDelay(true);
  const chunks: Buffer[] = [];
  const ended = new Promise<string>((resolve) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
  return { socket, first: new Promise((resolve) => socket.once('data', resolve)), ended };
}

const arrived = (session: ClientHttp2Session): Promise<unknown> =>
  new Promise((resolve) => session.once('remoteSettings', resolve));
const gone = (session: ClientHttp2Session): Promise<unknown> =>
  new Promise((resolve) => session.once('close', resolve));

describe('a connection in clear', () => {
  beforeEach(() => open());
  afterEach(() => server.close());

  test.each([
    ['in one piece', [GET]],
    ['in pieces', ['G', 'ET /a HT', 'TP/1.1\r\nhost: x\r\nconnection: close\r\n', '\r\n']],
    ['with a method that begins like HTTP/2', [GET.replace('GET', 'PROPFIND')]],
    ['one byte apart from HTTP/2', ['PRI', GET.slice(3)]],
  ])('speaks HTTP/1.1: %s', async (_, pieces) => {
    const { socket, ended } = raw();
    for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve));
    expect(await ended).toMatch(/^HTTP\/1\.1 (?:200 OK\r\nversion: 1\.1|400 Bad Request)\r\n/);
  });

  test.each([
    ['in one piece', [PREFACE + SETTINGS]],
    ['in two pieces', [PREFACE.slice(0, 14), PREFACE.slice(14) + SETTINGS]],
    ['byte by byte', [...PREFACE, ...SETTINGS]],
  ])('speaks HTTP/2: %s', async (_, pieces) => {
    const { socket, first } = raw();
    for (const piece of pieces) await new Promise((resolve) => socket.write(piece, 'latin1', resolve));
    expect((await first)[3]).toBe(4); // a SETTINGS frame
    socket.destroy();
  });

  test('that speaks neither is refused', async () => {
    const { socket, ended } = raw();
    socket.write('\x16\x03\x01 hello, TLS\r\n\r\n');
    expect(await ended).toMatch(/^HTTP\/1\.1 400 Bad Request/);
  });

  test.each(['', 'P', 'PRI * HTTP/2.0\r\n', PREFACE + SETTINGS])(
    'that ends after %j is let go of',
    async (text) => {
      const { socket, ended } = raw();
      socket.end(text);
      expect(await ended).not.toContain('HTTP/1.1');
    },
  );

  test.each([
    ['GET /a HTTP/1.0\r\n\r\n', 400], // no host
    ['GET /a HTTP/1.1\r\nhost: a b<>\r\nconnection: close\r\n\r\n', 400],
    ['GET // HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 400],
    ['GET http://[ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 400],
  ])('with a request that makes no URL gets an answer: %j', async (text, status) => {
    const { socket, ended } = raw();
    socket.write(text);
    expect(await ended).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const after = raw();
    after.socket.write(GET);
    expect(await after.ended).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test.each(['a b', '[', ''])('over HTTP/2 with authority "%s" gets an answer', async (authority) => {
    const session = connectHttp2(url);
    const stream = session.request({ ':path': '/', ':authority': authority });
    const status = await new Promise((resolve) => {
      stream.on('response', (headers) => resolve(headers[':status'])).on('error', resolve);
    });
    expect(status).not.toBe(200);
    session.close();
  });
});

describe('a sniffed connection', () => {
  let listener: Server;
  afterEach(() => new Promise((resolve) => listener.close(resolve)));

  test('that says nothing is cut', async () => {
    const told: string[] = [];
    listener = createServer((socket) => sniff(socket, 20, (protocol) => told.push(protocol)));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    const socket = connect(address.port, '127.0.0.1').on('error', () => {});
    socket.write('PRI');
    await new Promise((resolve) => socket.on('close', resolve));
    expect(told).toEqual([]);
  });
});

describe('a request that is answered before it has ended', () => {
  beforeEach(() => open(404));

  test('over HTTP/2 is closed without error, and the server can go', async () => {
    const session = connectHttp2(url);
    const stream = session.request(
      { ':method': 'POST', ':path': '/', 'content-type': 'x' },
      { endStream: false },
    );
    const status = new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])));
    stream.resume();
    stream.write(Buffer.alloc(1024 * 1024)); // more than the window
    expect(await status).toBe(404);
    await new Promise((resolve) => stream.on('close', resolve));
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
    await server.close();
    session.destroy();
  });

  test('over HTTP/1.1 is answered too', async () => {
    const status = await new Promise((resolve, reject) => {
      const sent = http1Request(url, { method: 'POST', agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.write(Buffer.alloc(256 * 1024));
      sent.end(Buffer.alloc(256 * 1024));
    });
    expect(status).toBe(404);
    await server.close();
  });
});

describe('at the end', () => {
  test('idle connections of both protocols and silent ones are closed', async () => {
    await open();
    const session = connectHttp2(url);
    await arrived(session);
    const silent = raw();
    await new Promise((resolve) => silent.socket.once('connect', resolve));
    const kept = raw();
    kept.socket.write(GET.replace('close', 'keep-alive'));
    await kept.first;
    await Promise.all([server.close(), gone(session), silent.ended, kept.ended]);
    const late = connect(server.port, '127.0.0.1');
    expect(await new Promise((resolve) => late.on('error', resolve))).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('what was accepted is answered, over both protocols', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: both, resolve: accepted } = Promise.withResolvers<void>();
    let count = 0;
    const face = async () => {
      count += 1;
      if (count === 2) accepted();
      await released;
      return { status: 200, header: new Headers({ answer: 'late' }) };
    };
    server = await listenGrpc(
      grpcListener(face, () => {}),
      '127.0.0.1',
      0,
    );
    const session = connectHttp2(`http://127.0.0.1:${server.port}`);
    const stream = session.request({ ':path': '/' });
    const overHttp2 = new Promise((resolve) =>
      stream.on('response', (headers) => resolve(headers['answer'])),
    );
    const overHttp1 = raw();
    overHttp1.socket.write(GET.replace('close', 'keep-alive'));
    await both;
    const closed = server.close();
    release();
    stream.resume();
    expect(await overHttp2).toBe('late');
    expect(await overHttp1.ended).toMatch(/^HTTP\/1\.1 200 OK.*\r\nanswer: late\r\n/s);
    await closed;
  });
});

test('a port that is taken is told', async () => {
  await open();
  const again = listenGrpc(
    grpcListener(
      async () => ({ status: 200 }),
      () => {},
    ),
    '127.0.0.1',
    server.port,
  );
  await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await server.close();
});
