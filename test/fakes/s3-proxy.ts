// S3 proxy for tests: stands before an object store and loses requests and answers as networks do.

import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request to an object or to a listing. */
export interface S3Request {
  readonly method: string;
  /** Of the object, within the bucket; of a listing, its prefix and a question mark. */
  readonly key: string;
}

/**
 * The connection breaks: before the request was done, after it was, or before and the request is done all the same,
 * once the next two have been answered, as one that was under way when its sender gave up. Or the credentials may not do it.
 */
export type Fault = 'before' | 'after' | 'late' | 'denied';

export interface S3Proxy {
  readonly endpoint: string;
  /** Asked about each request. */
  fault: (request: S3Request) => Fault | undefined;
  /** Does now what is late. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export async function startS3Proxy(target: string): Promise<S3Proxy> {
  const { hostname, port } = new URL(target);
  let late: { wait: number; readonly run: () => Promise<unknown> }[] = [];

  const forward = (asked: IncomingMessage, body: Buffer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { method, url: path, headers } = asked;
      const forwarded = request({ hostname, port, method, path, headers }, async (answer) => {
        const status = answer.statusCode ?? 0;
        read(answer).then((content) => resolve({ status, headers: answer.headers, body: content }), reject);
      });
      forwarded.on('error', reject);
      forwarded.end(body);
    });

  const server = createServer(async (asked, answer) => {
    const body = await read(asked);
    const fault = proxy.fault(requestOf(asked));
    if (fault === 'late') late.push({ wait: 2, run: () => forward(asked, body) });
    if (fault === 'denied') {
      answer.writeHead(403, { 'content-type': 'application/xml' });
      answer.end('<Error><Code>AccessDenied</Code></Error>');
      return;
    }
    if (fault === 'before' || fault === 'late') {
      asked.socket.destroy();
      return;
    }
    const given = await forward(asked, body).catch(() => undefined);
    for (const one of late) one.wait -= 1;
    const due = late.filter(({ wait }) => wait <= 0);
    late = late.filter(({ wait }) => wait > 0);
    for (const { run } of due) await run();
    if (fault === 'after' || given === undefined) {
      asked.socket.destroy();
      return;
    }
    answer.writeHead(given.status, given.headers);
    answer.end(given.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: S3Proxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault: () => undefined,
    async flush() {
      for (const { run } of late.splice(0)) await run();
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return proxy;
}

function requestOf({ method = '', url = '' }: IncomingMessage): S3Request {
  const { pathname, searchParams } = new URL(url, 'http://127.0.0.1');
  const [, , ...key] = pathname.split('/');
  return { method, key: key.length > 0 ? key.join('/') : `${searchParams.get('prefix')}?` };
}

async function read(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}
