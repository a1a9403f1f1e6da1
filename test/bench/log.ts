// What an append costs beside the disk's own sync, and what a log of a million entries takes to open, hold, and search.
// node test/bench/log.ts [entries]; LOG_BENCH_FOLDER names a folder on the disk to measure.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { closeSync, fdatasync, fsyncSync, mkdtempSync, openSync, rmSync, write, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { systemClock } from '../../src/clock.ts';
import type { Signer } from '../../src/key/signer.ts';
import type { PrecertEntry } from '../../src/log/log.ts';
import { leafHash } from '../../src/log/merkle.ts';
import type { OpenLog } from '../../src/log/open-log.ts';
import { openFileLog } from '../../src/node/log/file-log.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';

const ENTRIES = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(`${process.env['LOG_BENCH_FOLDER'] ?? tmpdir()}/mayfly-bench-log-`);

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signer: Signer = {
  algorithm: 'ecdsa-p256-sha256',
  publicKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
  sign: (message) => sign('sha256', message, privateKey),
};
const chain = [new Uint8Array(randomBytes(600)), new Uint8Array(randomBytes(500))];
const issuerKeyHash = new Uint8Array(randomBytes(32));

/** As large as a certificate for a GitHub workflow. */
function entryOf(size = 1100): PrecertEntry {
  return {
    issuerKeyHash,
    tbs: new Uint8Array(randomBytes(size)),
    precertificate: new Uint8Array(randomBytes(size + 100)),
    chain,
  };
}

const open = (): Promise<OpenLog> =>
  openFileLog({
    folder: `${folder}/log`,
    origin: 'log.example.com/bench',
    signer,
    clock: systemClock,
    onError: (error) => {
      throw error;
    },
  });

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN;
}

const line = (name: string, value: string): void => console.log(`${name.padEnd(46)} ${value}`);
const spread = (times: readonly number[]): string =>
  `p50 ${quantile(times, 0.5).toFixed(3)}  p90 ${quantile(times, 0.9).toFixed(3)}  p99 ${quantile(times, 0.99).toFixed(3)} ms`;

/** The floor: one write and one fdatasync into a preallocated file, nothing else. */
async function syncFloor(count: number, record: Uint8Array): Promise<number[]> {
  const path = `${folder}/floor`;
  const fd = openSync(path, 'w');
  for (let i = 0; i < count * record.length; i += 2 ** 20) writeSync(fd, new Uint8Array(2 ** 20));
  fsyncSync(fd);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    await promisify(write)(fd, record, 0, record.length, i * record.length);
    await promisify(fdatasync)(fd);
    times.push(performance.now() - started);
  }
  closeSync(fd);
  rmSync(path);
  return times;
}

async function lone(log: OpenLog, count: number): Promise<number[]> {
  const entries = Array.from({ length: count }, () => entryOf());
  const times: number[] = [];
  for (const entry of entries) {
    const started = performance.now();
    await log.log.append(entry);
    times.push(performance.now() - started);
  }
  return times;
}

/** Appends by so many at once; returns appends a second and CPU microseconds an append. */
async function crowd(
  log: OpenLog,
  count: number,
  at: number,
  size?: number,
): Promise<readonly [number, number]> {
  let left = count;
  const entries = Array.from({ length: 512 }, () => entryOf(size));
  const started = performance.now();
  const cpu = process.cpuUsage();
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const entry = entries[left % entries.length];
      if (entry !== undefined) await log.log.append(entry);
    }
  };
  await Promise.all(Array.from({ length: at }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return [(count * 1000) / (performance.now() - started), (user + system) / count];
}

/** From the answer to an append until a checkpoint covers the entry. */
async function untilPublic(log: OpenLog, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const { extensions } = await log.log.append(entryOf());
    const started = performance.now();
    await log.reader.published(Buffer.from(extensions).readUIntBE(3, 5));
    times.push(performance.now() - started);
  }
  return times;
}

try {
  let log = await open();
  await lone(log, 500);
  // In turns, so that both see the same neighbours on this machine.
  const [floors, appends]: [number[], number[]] = [[], []];
  for (let i = 0; i < 5; i++) {
    floors.push(...(await syncFloor(300, new Uint8Array(randomBytes(2600)))));
    appends.push(...(await lone(log, 300)));
  }
  line('the disk alone: write and fdatasync', spread(floors));
  line('a lone append', spread(appends));
  line('an append over the disk', `${(quantile(appends, 0.5) - quantile(floors, 0.5)).toFixed(3)} ms at p50`);
  for (const at of [16, 64, 256]) {
    const [rate, cpu] = await crowd(log, 20_000, at);
    line(`${at} appending at once`, `${rate.toFixed(0)} a second, ${cpu.toFixed(0)} us CPU each`);
  }

  line('public after, a lone append', spread(await untilPublic(log, 20)));
  const [publicAfter] = await Promise.all([untilPublic(log, 8), crowd(log, 20_000, 256)]);
  line('public after, 256 appending at once', spread(publicAfter));

  const small = ENTRIES - log.reader.size;
  const [rate] = await crowd(log, Math.max(0, small), 256, 200);
  const published = performance.now();
  await log.publish();
  line(`filled to ${log.reader.size} entries`, `${rate.toFixed(0)} a second`);
  line('publishing the rest', `${(performance.now() - published).toFixed(0)} ms`);
  await log.close();

  const opened = performance.now();
  log = await open();
  line(`opening a log of ${log.reader.size} entries`, `${(performance.now() - opened).toFixed(0)} ms`);

  const searches: number[] = [];
  for (let i = 0; i < 300; i++) {
    const index = Math.floor((i / 300) * log.reader.size);
    const tile = await log.reader.tile({
      level: 0,
      index: Math.floor(index / 256),
      width: (index % 256) + 1,
    });
    const hash = tile?.slice(-32) ?? leafHash(sha256, new Uint8Array());
    const started = performance.now();
    const found = await log.reader.find(hash, log.reader.size);
    if (found === undefined) throw new Error(`entry ${index} was not found`);
    await log.reader.inclusion(found, log.reader.size);
    searches.push(performance.now() - started);
  }
  line('proof by hash', spread(searches));
  await log.close();
  line('peak memory of this process', `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
