// Worker process: one that issues, as its sequencer has it: its pipes, whether it still answers, and its end.

import { type ChildProcess, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import type { FetchHandler } from '../listener/http-server.ts';
import { type Answerer, Channel } from './channel.ts';
import { Pulse } from './pulse.ts';
import { serveRelay } from './relay.ts';
import { ASK } from './wire.ts';
import { CHANNEL_FD, RELAY_FD } from './worker.ts';

export interface WorkerProcessOptions {
  /** From 1; its replacement has the same. */
  readonly number: number;
  /** Program and arguments of a worker, which calls `runWorker`. */
  readonly command: readonly [string, ...string[]];
  /** Answers what it asks for. */
  readonly answer: Answerer;
  /** Answers what it passes on. */
  readonly fetch: FetchHandler;
}

/**
 * Threads that verify tokens beside each worker's own. Where all cores are busy, more of them only interrupt each other; of two, libuv
 * lends name lookups no more than one, so that a slow name server holds up no token.
 */
const UV_THREADPOOL_SIZE = '2';

export class WorkerProcess {
  readonly number: number;
  readonly channel: Channel;
  readonly since = performance.now();
  /** How it ended: a signal, an exit code, or why there never was a process. */
  readonly ended: Promise<string | number | null>;
  readonly #child: ChildProcess;
  readonly #pulse: Pulse;
  #hung = false;

  constructor({ number, command: [program, ...words], answer, fetch }: WorkerProcessOptions) {
    const child = spawn(program, words, {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'],
      env: { UV_THREADPOOL_SIZE, ...process.env },
    });
    this.ended = new Promise((resolve) => {
      child.on('error', ({ message }) => resolve(message)); // such as no memory for another process
      child.once('exit', (code, signal) => resolve(signal ?? code));
    });
    this.number = number;
    this.#child = child;
    this.channel = new Channel(streamOf(child, CHANNEL_FD), answer);
    this.#pulse = new Pulse(() => this.channel.request(ASK.pulse));
    serveRelay(streamOf(child, RELAY_FD), fetch);
  }

  /** Whether it was killed because it did not answer any more. */
  get hung(): boolean {
    return this.#hung;
  }

  /** Asks for a sign of life, and kills it where `allowed` beats in a row have brought none; returns whether it did so now. */
  beat(allowed: number): boolean {
    if (this.#hung || this.#pulse.beat() < allowed) return false;
    this.#hung = true;
    this.kill();
    return true;
  }

  /** Reaches one that is stopped, too. */
  kill(): void {
    this.channel.end();
    this.#child.kill('SIGKILL');
  }
}

function streamOf(child: ChildProcess, descriptor: number): Duplex {
  const stream = child.stdio[descriptor];
  if (stream instanceof Duplex) return stream;
  throw new Error('an issuing process cannot be started');
}
