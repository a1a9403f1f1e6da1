// HTTP/2 sessions: the connections of a server that speak HTTP/2, each closed once it has been without a request for too long.

import type { Http2SecureServer, Http2Server, Http2Session, ServerHttp2Stream } from 'node:http2';
import type { ListenerLimits } from './listener-limits.ts';

interface Use {
  streams: number;
  /** When it had a request last, or was opened; `performance.now()`. */
  since: number;
  used: boolean;
}

export class Http2Sessions {
  readonly #limits: ListenerLimits;
  readonly #sessions = new Map<Http2Session, Use>();
  #closing = false;

  constructor(limits: ListenerLimits) {
    this.#limits = limits;
  }

  /** Before the server takes its first connection. */
  follow(server: Http2Server | Http2SecureServer): void {
    server.on('session', (session: Http2Session) => {
      if (this.#closing) session.close();
      this.#sessions.set(session, { streams: 0, since: performance.now(), used: false });
      session.once('close', () => this.#sessions.delete(session));
    });
    server.on('stream', (stream: ServerHttp2Stream) => this.#count(stream));
  }

  /** Closes those that wait for a request for longer than they may. */
  sweep(): void {
    const { headerTimeoutMs, idleTimeoutMs } = this.#limits;
    this.#closeIdle(headerTimeoutMs, idleTimeoutMs);
  }

  /** Closes those that have no request and are older than `milliseconds`. */
  makeRoom(milliseconds: number): void {
    this.#closeIdle(milliseconds, milliseconds);
  }

  /** Each is told that no further requests are taken; those that are under way finish (RFC 9113 section 6.8). */
  close(): void {
    this.#closing = true;
    for (const session of this.#sessions.keys()) session.close();
  }

  #count(stream: ServerHttp2Stream): void {
    const late = setTimeout(() => stream.destroy(), this.#limits.requestTimeoutMs);
    const { session } = stream;
    const use = session === undefined ? undefined : this.#sessions.get(session);
    if (use !== undefined) {
      use.streams += 1;
      use.used = true;
    }
    stream.once('close', () => {
      clearTimeout(late);
      if (use === undefined) return;
      use.streams -= 1;
      use.since = performance.now();
    });
  }

  #closeIdle(neverUsedMs: number, usedMs: number): void {
    const now = performance.now();
    for (const [session, { streams, since, used }] of this.#sessions) {
      if (streams > 0 || now - since < (used ? usedMs : neverUsedMs)) continue;
      if (session.closed)
        session.destroy(); // it was asked before, and half a request keeps it open
      else session.close();
    }
  }
}
