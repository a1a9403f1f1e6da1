// Edge worker: the Worker with a door for `npm run bench:edge`, through which it issues, appends and limits by itself.

import type { Hono } from 'hono';
import type { PrecertEntry } from '../../src/log/log.ts';
import { unwrap } from '../../src/problem-wire.ts';
import { settings } from '../../src/workers/bundle.ts';
import type { Environment } from '../../src/workers/environment.ts';
import { openFront } from '../../src/workers/front.ts';

export { KeysObject } from '../../src/workers/keys-object.ts';
export { LimitObject } from '../../src/workers/limit-object.ts';
export { LogObject } from '../../src/workers/log-object.ts';

let front: Hono | undefined;

/** Runs `count` tasks in `lanes`, and tells how long each took, in milliseconds. */
async function run(
  count: number,
  lanes: number,
  task: (n: number) => Promise<void>,
): Promise<readonly number[]> {
  const times: number[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const n = next++;
      const started = performance.now();
      await task(n);
      times.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return times;
}

/** About as large as a precertificate of a CI job. */
function entryOf(n: number): PrecertEntry {
  const bytes = crypto.getRandomValues(new Uint8Array(900));
  new DataView(bytes.buffer).setUint32(0, n);
  const part = new Uint8Array(500);
  return { issuerKeyHash: new Uint8Array(32), tbs: bytes, precertificate: bytes.slice(), chain: [part] };
}

export default {
  async fetch(request, environment): Promise<Response> {
    front ??= await openFront(settings, environment);
    const app = front;
    const { pathname, searchParams } = new URL(request.url);
    const [count, lanes] = ['count', 'lanes'].map((name) => Number(searchParams.get(name))) as [
      number,
      number,
    ];
    switch (pathname) {
      case '/bench/issue': {
        const bodies: readonly string[] = await request.json();
        const issue = async (n: number): Promise<void> => {
          const response = await app.fetch(
            new Request(`${settings.publicUrl}/api/v2/signingCert`, {
              method: 'POST',
              body: bodies[n] ?? '',
            }),
          );
          if (!response.ok) throw new Error(await response.text());
          await response.arrayBuffer();
        };
        return Response.json(await run(bodies.length, lanes, issue));
      }
      case '/bench/append': {
        const log = environment.LOG_OBJECT.getByName('log');
        return Response.json(await run(count, lanes, async (n) => void unwrap(await log.append(entryOf(n)))));
      }
      case '/bench/limit': {
        const rate = { burst: 1_000_000, count: 1_000_000, periodMs: 3_600_000 };
        const shard = environment.LIMIT_OBJECT.getByName('A');
        const take = async (n: number): Promise<void> => {
          await shard.take([{ key: `A${n % 1000}`, rate }], undefined, Date.now());
        };
        return Response.json(await run(count, lanes, take));
      }
      default:
        return app.fetch(request);
    }
  },
} satisfies ExportedHandler<Environment>;
