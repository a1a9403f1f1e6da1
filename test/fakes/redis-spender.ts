// A process that spends: several of them on one Redis show whether a limit is one for all.

import type { Charge } from '../../src/admission/limiter.ts';
import { systemClock } from '../../src/clock.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { RedisLimiter } from '../../src/redis/redis-limiter.ts';

interface Order {
  readonly urls: readonly string[];
  readonly charges: readonly Charge[];
  readonly clients: number;
  readonly each: number;
}

const order: Order = JSON.parse(process.argv[2] ?? '{}');
const limiter = new RedisLimiter(connectRedis({ urls: order.urls }), {
  onBackendError: 'closed',
  budget: 10_000,
});
await limiter.ready(10_000);

process.on('message', async () => {
  const tallies = await Promise.all(
    Array.from({ length: order.clients }, async () => {
      let [granted, limited] = [0, 0];
      for (let i = 0; i < order.each; i++) {
        const verdict = await limiter.spend('issuer', order.charges, undefined, systemClock.now());
        if (verdict.allowed) granted += 1;
        else if (verdict.reason === 'limited') limited += 1;
      }
      return [granted, limited] as const;
    }),
  );
  process.send?.({
    granted: tallies.reduce((sum, [granted]) => sum + granted, 0),
    limited: tallies.reduce((sum, [, limited]) => sum + limited, 0),
  });
  limiter.close();
  process.disconnect?.();
});
process.send?.('ready');
