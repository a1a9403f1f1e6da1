// Light load: a process that sends ready-made requests over keep-alive sockets and looks at no more of an answer than it
// must, so that nearly all CPU is left for what is measured. Told by its parent, over IPC.

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly count: number;
}

export interface LoadReport {
  readonly seconds: number;
  /** Microseconds of CPU of this process. */
  readonly cpu: number;
  /** Answers with 200. */
  readonly issued: number;
  readonly refused: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Requests in a file, each after its length in four bytes. */
function requestsIn(file: string): readonly Buffer[] {
  const bytes = readFileSync(file);
  const requests: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    requests.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return requests;
}

const SPACE_BEFORE_STATUS = 'HTTP/1.1 '.length;
const LENGTH = Buffer.from('\r\nContent-Length: ');
const END = Buffer.from('\r\n\r\n');

class Lane {
  readonly socket: Socket;
  #left = -1; // of the answer under way; -1 before its headers
  #status = 0;

  constructor(port: number, onAnswer: (status: number) => void) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (chunk: Buffer) => {
      if (this.#left < 0) {
        const headers = chunk.indexOf(END);
        const length = chunk.indexOf(LENGTH);
        if (headers < 0 || length < 0) throw new Error('an answer whose headers are not in one piece');
        this.#status = Number(chunk.toString('latin1', SPACE_BEFORE_STATUS, SPACE_BEFORE_STATUS + 3));
        const size = Number.parseInt(
          chunk.toString('latin1', length + LENGTH.length, length + LENGTH.length + 8),
          10,
        );
        this.#left = size - (chunk.length - headers - END.length);
      } else this.#left -= chunk.length;
      if (this.#left > 0) return;
      this.#left = -1;
      onAnswer(this.#status);
    });
  }
}

const [, , file = ''] = process.argv;
const requests = requestsIn(file);
let next = 0;

async function run({ port, connections, count }: LoadOrder): Promise<LoadReport> {
  const latencies = new Float64Array(count);
  let sent = 0;
  let answered = 0;
  let issued = 0;
  const done = Promise.withResolvers<void>();
  const lanes: { readonly lane: Lane; since: number }[] = [];
  const send = (entry: (typeof lanes)[number]): void => {
    const request = requests[next++ % requests.length];
    if (sent >= count || request === undefined) return;
    sent += 1;
    entry.since = performance.now();
    entry.lane.socket.write(request);
  };
  for (let i = 0; i < connections; i++) {
    const entry = {
      since: 0,
      lane: new Lane(port, (status) => {
        latencies[answered++] = performance.now() - entry.since;
        if (status === 200) issued += 1;
        if (answered === count) done.resolve();
        else send(entry);
      }),
    };
    entry.lane.socket.on('error', done.reject);
    entry.lane.socket.on('close', () =>
      done.reject(new Error(`a connection was closed with ${count - answered} of ${count} answers to come`)),
    );
    lanes.push(entry);
  }
  const connected = lanes.map(({ lane }) => new Promise((resolve) => lane.socket.once('connect', resolve)));
  await Promise.race([Promise.all(connected), done.promise]);
  const cpu = process.cpuUsage();
  const started = performance.now();
  for (const entry of lanes) send(entry);
  await done.promise;
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const { lane } of lanes) lane.socket.destroy();
  const sorted = latencies.sort();
  const at = (q: number): number => sorted[Math.min(count - 1, Math.floor(count * q))] ?? Number.NaN;
  return { seconds, cpu: user + system, issued, refused: count - issued, p50: at(0.5), p99: at(0.99) };
}

process.on('message', (order: LoadOrder) => {
  run(order).then(
    (report) => process.send?.(report),
    (error: unknown) => {
      throw error;
    },
  );
});
process.send?.('ready');
