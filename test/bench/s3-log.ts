// What an append costs in a bucket beside one bare conditional PUT, over loopback and where each answer takes 30 ms, and what
// opening takes: against a real versitygw on this machine. node test/bench/s3-log.ts

import { randomBytes } from 'node:crypto';
import { systemClock } from '../../src/clock.ts';
import type { PrecertEntry } from '../../src/log/log.ts';
import type { OpenLog } from '../../src/log/open-log.ts';
import { makeEcdsaKey } from '../../src/node/keys/new-ca.ts';
import { openS3Log } from '../../src/node/log/s3-log.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { nativeSigner } from '../../src/node/system/native-signer.ts';
import { later } from '../../src/node/system/timer.ts';
import { Bucket } from '../../src/s3/bucket.ts';
import { startS3 } from '../fakes/s3.ts';
import { startProxy } from '../fakes/tcp-proxy.ts';

const signer = nativeSigner(makeEcdsaKey());
const issuerKeyHash = new Uint8Array(randomBytes(32));
const chain = [new Uint8Array(randomBytes(600)), new Uint8Array(randomBytes(500))];

/** As large as a certificate for a GitHub workflow. */
function entryOf(): PrecertEntry {
  const [tbs, precertificate] = [new Uint8Array(randomBytes(1100)), new Uint8Array(randomBytes(1200))];
  return { issuerKeyHash, tbs, precertificate, chain };
}

const line = (name: string, value: string): void => console.log(`${name.padEnd(46)} ${value}`);

function spread(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (q: number): string => (sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN).toFixed(1);
  return `p50 ${at(0.5)}  p90 ${at(0.9)}  p99 ${at(0.99)} ms`;
}

async function timed(task: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await task();
  return performance.now() - started;
}

const server = await startS3();
const proxy = await startProxy(server.port);
try {
  for (const delay of [0, 30]) {
    proxy.delay(delay);
    const endpoint = `http://127.0.0.1:${proxy.port}`;
    const place = { ...server, endpoint, prefix: `bench-${delay}/` };
    const bucket = new Bucket({ ...place, sha256, schedule: later, fetch });
    const open = (): Promise<OpenLog> =>
      openS3Log({ origin: 'log.example.com/bench', signer, clock: systemClock, bucket: place });

    console.log(delay === 0 ? 'loopback' : `each answer ${delay} ms later`);
    const bare: number[] = [];
    for (let i = 0; i < 200; i++)
      bare.push(
        await timed(() => bucket.put(`bare/${i}`, new Uint8Array(randomBytes(2500)), { absent: true })),
      );
    line('  bare conditional PUT', spread(bare));
    const log = await open();
    const alone: number[] = [];
    for (let i = 0; i < 200; i++) alone.push(await timed(() => log.log.append(entryOf())));
    line('  append, alone', spread(alone));
    for (const submitters of [64, 1024, 4096]) {
      const times: number[] = [];
      const end = performance.now() + 4000;
      const took = await timed(() =>
        Promise.all(
          Array.from({ length: submitters }, async () => {
            while (performance.now() < end) times.push(await timed(() => log.log.append(entryOf())));
          }),
        ),
      );
      line(
        `  append, ${submitters} at once`,
        `${Math.round((times.length / took) * 1000)}/s  ${spread(times)}`,
      );
    }
    await log.close();
    const reopened: OpenLog[] = [];
    const took = await timed(async () => reopened.push(await open()));
    line(`  open with ${reopened[0]?.size} entries`, `${Math.round(took)} ms`);
    for (const one of reopened) await one.close();
  }
} finally {
  await proxy.close();
  await server.stop();
}
