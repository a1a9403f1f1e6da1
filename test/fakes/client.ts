// Client: HTTP as it goes over the wire: the path, the headers and the body are sent as they are given.

import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Undefined where the text is not JSON. */
  readonly json: unknown;
}

export interface Message {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Sent with its length; a list is sent chunk by chunk without one. */
  readonly body?: string | Uint8Array | readonly (string | Uint8Array)[];
}

/** `path` begins with a slash and may hold what a URL parser would tidy up. */
export function send(base: string, path: string, message: Message = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = message;
  const { hostname, port } = new URL(base);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = request({ hostname, port, path, method, headers, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text,
        json: parse(text),
      });
    });
  });
  sent.on('error', reject);
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) sent.end(body);
  else {
    for (const chunk of body) sent.write(chunk);
    sent.end();
  }
  return promise;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
