// Load: requests over keep-alive connections, each with its own body, and how long each took.

import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';

export interface Outcome {
  /** Milliseconds, sorted. */
  readonly latencies: readonly number[];
  readonly seconds: number;
  readonly statuses: ReadonlyMap<number, number>;
}

/** Sends every body once, `connections` at a time, for as long as `wanted` says. Rejects on a broken connection. */
export async function send(
  url: string,
  bodies: readonly Buffer[],
  connections: number,
  contentType = 'application/json',
  wanted: () => boolean = () => true,
): Promise<Outcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  try {
    return await sendOver(agent, url, bodies, contentType, wanted);
  } finally {
    agent.destroy();
  }
}

/** The same over the agent's connections, as many as it may have, which stay open for a next time. */
export async function sendOver(
  agent: Agent,
  url: string,
  bodies: readonly Buffer[],
  contentType = 'application/json',
  wanted: () => boolean = () => true,
): Promise<Outcome> {
  const target = new URL(url);
  const latencies: number[] = [];
  const statuses = new Map<number, number>();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const body = bodies[next++];
      if (body === undefined || !wanted()) return;
      const started = performance.now();
      const status = await post(target, agent, body, contentType);
      latencies.push(performance.now() - started);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: agent.maxSockets }, worker));
  const seconds = (performance.now() - started) / 1000;
  return { latencies: latencies.sort((a, b) => a - b), seconds, statuses };
}

function post(url: URL, agent: Agent, body: Buffer, contentType: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': contentType, 'content-length': body.length };
    const outgoing = request(url, { method: 'POST', agent, headers }, (incoming) => {
      incoming.on('error', reject);
      incoming.on('end', () => resolve(incoming.statusCode ?? 0));
      incoming.resume();
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
