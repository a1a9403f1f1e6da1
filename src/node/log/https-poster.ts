// HTTPS poster: asks another log over node:https, as a client with a certificate, or one that trusts a CA of its own.

import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { ClientTls } from '../../config/transparency-settings.ts';
import { concat } from '../../encoding/bytes.ts';
import type { Posted, Poster, PostOptions } from '../../log/poster.ts';
import { requireClientUsable } from '../listener/tls-identity.ts';

export class HttpsPoster implements Poster {
  #agent: Agent;

  /** `name` is for messages. Throws an Error with a sentence where certificate and key do not go together. */
  constructor(tls: ClientTls, name: string) {
    this.#agent = agentOf(tls, name);
  }

  /** Checks other certificates, and returns what puts them in force for new connections. Throws as the constructor does. */
  renewal(tls: ClientTls, name: string): () => void {
    const agent = agentOf(tls, name);
    return () => {
      this.#agent = agent; // the one before closes its connections once they are idle
    };
  }

  post(url: string, body: string, options: PostOptions): Promise<Posted> {
    const { timeoutMs, maxBytes, bearer, contentType = 'application/json', signal: early } = options;
    const late = AbortSignal.timeout(Math.max(0, Math.ceil(timeoutMs)));
    const { promise, resolve, reject } = Promise.withResolvers<Posted>();
    const sent = request(url, {
      method: 'POST',
      agent: this.#agent,
      signal: early === undefined ? late : AbortSignal.any([late, early]),
      headers: {
        'content-type': contentType,
        'content-length': Buffer.byteLength(body),
        'accept-encoding': 'identity', // so that a small answer cannot unfold into a large one
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
      },
    });
    sent.on('response', (response) => read(response, maxBytes).then(resolve, reject)).on('error', reject);
    sent.end(body);
    return promise;
  }
}

/** Milliseconds that a connection is kept for the next entry. */
const KEPT = 10_000;

function agentOf(tls: ClientTls, name: string): Agent {
  requireClientUsable(tls, name);
  return new Agent({ ...tls, keepAlive: true, timeout: KEPT, minVersion: 'TLSv1.2' });
}

async function read(response: IncomingMessage, maxBytes: number): Promise<Posted> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > maxBytes) throw new RangeError(`an answer of more than ${maxBytes} bytes`);
    parts.push(part);
  }
  const { statusCode = 0, headers } = response;
  return { status: statusCode, body: concat(...parts), retryAfter: headers['retry-after'] };
}
