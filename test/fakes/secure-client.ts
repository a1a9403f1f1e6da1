// Secure client: requests over TLS, by HTTP/1.1 or HTTP/2, with what the connection showed of the server.

import { type ClientHttp2Session, connect } from 'node:http2';
import { Agent, request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Answer, Message } from './client.ts';

/** PEM. */
export interface Credentials {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface SecureClient {
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
  send(path: string, message?: Message): Promise<Answer>;
  /** The certificate that the server of the connection showed: the SHA-256 of it. Asked after a first answer. */
  fingerprint(): string;
  close(): void;
}

/** All its requests go over one connection, one at a time. */
export function overHttp1(base: string, credentials: Credentials): SecureClient {
  const agent = new Agent({ ...credentials, keepAlive: true, maxSockets: 1 });
  let connection: TLSSocket | undefined;
  return {
    protocol: 'HTTP/1.1',
    send(path, { method = 'GET', headers = {}, body } = {}) {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      const sent = request(new URL(path, base), { method, headers, agent }, (response) => {
        connection = response.socket as TLSSocket; // the agent speaks nothing else
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parsed(text) });
        });
      });
      sent.on('error', reject);
      for (const chunk of chunksOf(body)) sent.write(chunk);
      sent.end();
      return promise;
    },
    fingerprint: () => fingerprintOf(connection),
    close: () => agent.destroy(),
  };
}

/** All its requests go over one connection. */
export function overHttp2(base: string, credentials: Partial<Credentials> = {}): SecureClient {
  const session: ClientHttp2Session = connect(base, credentials);
  session.on('error', () => {}); // each request tells it
  return {
    protocol: 'HTTP/2',
    send(path, { method = 'GET', headers = {}, body } = {}) {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      const stream = session.request(
        { ...headers, ':method': method, ':path': path },
        { endStream: body === undefined },
      );
      const chunks: Buffer[] = [];
      stream.on('response', (answered) => {
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const { ':status': status = 0, ...others } = answered;
          resolve({ status, headers: others, text, json: parsed(text) });
        });
      });
      stream.on('error', reject);
      stream.on('close', () => reject(new Error(`closed with ${stream.rstCode}`)));
      for (const chunk of chunksOf(body)) stream.write(chunk);
      if (body !== undefined) stream.end();
      return promise;
    },
    fingerprint: () => fingerprintOf(session.socket as TLSSocket), // http2 types it as any of three
    close: () => session.destroy(),
  };
}

function chunksOf(body: Message['body']): readonly (string | Uint8Array)[] {
  if (body === undefined) return [];
  return typeof body === 'string' || body instanceof Uint8Array ? [body] : body;
}

function fingerprintOf(socket: TLSSocket | undefined): string {
  return socket?.getPeerX509Certificate()?.fingerprint256 ?? 'no certificate';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
