// Channel: requests and answers in both directions over one byte stream between two processes of an instance.

import type { Duplex } from 'node:stream';
import { type Bytes, fromUtf8, utf8 } from '../../encoding/bytes.ts';
import { Problem } from '../../problem.ts';
import { unwrap, type WireProblem, wireOf } from '../../problem-wire.ts';
import { FrameReader, FrameWriter, type Payload } from './frames.ts';

/** What a request is about; either side's may be answered by the other. */
export type RequestKind = number;

/**
 * Answers a request of the other side. What it throws reaches the other side: a Problem as one, anything else by its message.
 * The payload is a part of what was received: what is kept of it for long has to be copied.
 */
export type Answerer = (kind: RequestKind, payload: Bytes) => Payload | Promise<Payload>;

const VALUE = 253;
const PROBLEM = 254;
const FAILURE = 255;

interface Waiter {
  resolve(payload: Bytes): void;
  reject(error: unknown): void;
}

export const EMPTY: Uint8Array = new Uint8Array();

export class Channel {
  readonly #stream: Duplex;
  readonly #answer: Answerer;
  readonly #waiting = new Map<number, Waiter>();
  readonly #outgoing = new FrameWriter();
  #next = 0;
  #open = true;
  readonly closed: Promise<void>;

  /** The stream is the channel's from now on. */
  constructor(stream: Duplex, answer: Answerer) {
    this.#stream = stream;
    this.#answer = answer;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    const incoming = new FrameReader((kind, id, payload) => this.#hear(kind, id, payload));
    stream.on('data', (chunk: Buffer<ArrayBuffer>) => incoming.take(chunk));
    stream.on('error', () => stream.destroy()); // the other process has ended
    stream.on('end', () => stream.destroy());
    stream.on('close', () => {
      this.#open = false;
      for (const { reject } of this.#waiting.values()) reject(new Error('the other process has ended'));
      this.#waiting.clear();
      resolve();
    });
  }

  /** Resolves with a part of what was received. Rejects with what the other side threw, or with an Error when it ends before it answers. */
  request(kind: RequestKind, payload: Payload = EMPTY): Promise<Bytes> {
    return new Promise((resolve, reject) => {
      if (!this.#open) throw new Error('the other process has ended');
      const id = this.#next;
      this.#next = (id + 1) >>> 0;
      this.#send(kind, id, payload);
      this.#waiting.set(id, { resolve, reject });
    });
  }

  end(): void {
    this.#stream.destroy();
  }

  #send(kind: number, id: number, payload: Payload): void {
    const first = this.#outgoing.empty;
    this.#outgoing.frame(kind, id, payload);
    // All that one turn of the event loop has to say goes in one write.
    if (first) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const frames = this.#outgoing.take();
    if (this.#open) this.#stream.write(frames);
  }

  #hear(kind: number, id: number, payload: Bytes): void {
    if (kind < VALUE) {
      this.#reply(kind, id, payload);
      return;
    }
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (kind === VALUE) waiter?.resolve(payload);
    else waiter?.reject(kind === PROBLEM ? problemIn(payload) : new Error(fromUtf8(payload)));
  }

  /** An answer that is there at once costs no promise. */
  #reply(kind: number, id: number, payload: Bytes): void {
    const failed = (error: unknown): void => this.#sendFailure(id, error);
    try {
      const answer = this.#answer(kind, payload);
      if (answer instanceof Promise) answer.then((value) => this.#send(VALUE, id, value)).catch(failed);
      else this.#send(VALUE, id, answer);
    } catch (error) {
      failed(error);
    }
  }

  #sendFailure(id: number, error: unknown): void {
    if (error instanceof Problem) this.#send(PROBLEM, id, utf8(JSON.stringify(wireOf(error))));
    else this.#send(FAILURE, id, utf8(error instanceof Error ? error.message : 'an unknown failure'));
  }
}

function problemIn(payload: Uint8Array): unknown {
  try {
    const problem = JSON.parse(fromUtf8(payload)) as WireProblem; // written by the other process of this very instance
    return unwrap({ problem });
  } catch (error) {
    return error;
  }
}
