// Channel: requests and answers in both directions over one byte stream between two processes of an instance.

import type { Duplex } from 'node:stream';
import { fromUtf8, utf8 } from '../../encoding/bytes.ts';
import { outcomeOf, unwrap, type WireProblem } from '../../problem-wire.ts';

/** What a request is about; either side's may be answered by the other. */
export type RequestKind = number;

/** Answers a request of the other side. What it throws reaches the other side: a Problem as one, anything else by its message. */
export type Answerer = (kind: RequestKind, payload: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** u32 length of what follows, u8 kind, u32 number of the request. */
const LENGTH = 4;
const HEADER = 5;

const VALUE = 253;
const PROBLEM = 254;
const FAILURE = 255;

interface Waiter {
  resolve(payload: Uint8Array): void;
  reject(error: unknown): void;
}

export const EMPTY: Uint8Array = new Uint8Array();

export class Channel {
  readonly #stream: Duplex;
  readonly #answer: Answerer;
  readonly #waiting = new Map<number, Waiter>();
  #next = 0;
  #outgoing: Uint8Array[] = [];
  #incoming: Buffer = Buffer.alloc(0);
  #open = true;
  readonly closed: Promise<void>;

  /** The stream is the channel's from now on. */
  constructor(stream: Duplex, answer: Answerer) {
    this.#stream = stream;
    this.#answer = answer;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('error', () => stream.destroy()); // the other process has ended
    stream.on('end', () => stream.destroy());
    stream.on('close', () => {
      this.#open = false;
      for (const { reject } of this.#waiting.values()) reject(new Error('the other process has ended'));
      this.#waiting.clear();
      resolve();
    });
  }

  /** Rejects with what the other side threw, or with an Error when it ends before it answers. */
  request(kind: RequestKind, payload: Uint8Array = EMPTY): Promise<Uint8Array> {
    if (!this.#open) return Promise.reject(new Error('the other process has ended'));
    const id = this.#next;
    this.#next = (id + 1) >>> 0;
    this.#send(kind, id, payload);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  end(): void {
    this.#stream.destroy();
  }

  #send(kind: number, id: number, payload: Uint8Array): void {
    // All that one turn of the event loop has to say goes in one write.
    if (this.#outgoing.length === 0) setImmediate(() => this.#flush());
    const header = Buffer.allocUnsafe(LENGTH + HEADER);
    header.writeUInt32BE(HEADER + payload.length, 0);
    header.writeUInt8(kind, LENGTH);
    header.writeUInt32BE(id, LENGTH + 1);
    this.#outgoing.push(header, payload);
  }

  #flush(): void {
    const chunks = this.#outgoing;
    this.#outgoing = [];
    if (this.#open) this.#stream.write(Buffer.concat(chunks));
  }

  #take(chunk: Buffer): void {
    let rest = this.#incoming.length === 0 ? chunk : Buffer.concat([this.#incoming, chunk]);
    while (rest.length >= LENGTH) {
      const end = LENGTH + rest.readUInt32BE(0);
      if (rest.length < end) break;
      // A copy, as what is kept of a frame would keep the whole chunk.
      const payload = new Uint8Array(rest.subarray(LENGTH + HEADER, end));
      this.#hear(rest.readUInt8(LENGTH), rest.readUInt32BE(LENGTH + 1), payload);
      rest = rest.subarray(end);
    }
    this.#incoming = rest;
  }

  #hear(kind: number, id: number, payload: Uint8Array): void {
    if (kind < VALUE) return void this.#reply(kind, id, payload);
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (kind === VALUE) waiter?.resolve(payload);
    else waiter?.reject(kind === PROBLEM ? problemIn(payload) : new Error(fromUtf8(payload)));
  }

  async #reply(kind: number, id: number, payload: Uint8Array): Promise<void> {
    try {
      const outcome = await outcomeOf(async () => this.#answer(kind, payload));
      if ('value' in outcome) this.#send(VALUE, id, outcome.value);
      else this.#send(PROBLEM, id, utf8(JSON.stringify(outcome.problem)));
    } catch (error) {
      this.#send(FAILURE, id, utf8(error instanceof Error ? error.message : 'an unknown failure'));
    }
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
