// Every request of a log's life in a bucket fails once, in every way it can; nothing wrong may ever be signed.

import { afterAll, expect, it } from 'vitest';
import type { OpenLog } from '../../../src/log/open-log.ts';
import { buildVersitygw, type S3Server, startS3 } from '../../fakes/s3.ts';
import { type Fault, type S3Proxy, type S3Request, startS3Proxy } from '../../fakes/s3-proxy.ts';
import { describeWith, isInstalled } from '../../fakes/skip.ts';
import { BucketRig, ONE_TRY, PATIENT, untilReady } from './support.ts';

const WAYS: readonly Fault[] = ['before', 'after', 'late'];

let server: S3Server;
let proxy: S3Proxy;
let lives = 0;
/** By prefix: lives run side by side. */
const faults = new Map<string, (request: S3Request) => Fault | undefined>();

/** Founds a log and takes it across the first tile boundary, whatever fails. */
async function live(rig: BucketRig, patience: object): Promise<void> {
  const open = async (): Promise<OpenLog> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await rig.open({ endpoint: proxy.endpoint, patience });
      } catch (error) {
        // A start that failed says so and is tried again.
        if (attempt === 5) throw error;
      }
    }
  };
  for (const counts of [[2], [252, 3]]) {
    const log = await open();
    for (const count of counts) {
      await untilReady(log);
      await rig.append(log, count);
      await log.publish().catch((error: unknown) => rig.errors.push(error));
    }
    await untilReady(log);
    await log.close();
  }
}

function begin(fault: (request: S3Request) => Fault | undefined): BucketRig {
  const prefix = `life-${lives++}/`;
  faults.set(prefix, fault);
  return new BucketRig(server, prefix);
}

/** What happens in a life in which nothing fails: each request with its number among those like it. */
async function requestsOfALife(): Promise<string[]> {
  const seen = new Map<string, number>();
  const names: string[] = [];
  const rig = begin((request) => {
    names.push(nameOf(request, seen));
    return undefined;
  });
  await live(rig, ONE_TRY).catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  // The lease is renewed by a timer: of the signs of life only the first are sure to come.
  return names.filter((name) => !/leader #[4-9]|leader #\d\d/.test(name));
}

function nameOf({ method, key }: S3Request, seen: Map<string, number>): string {
  const name = `${method} ${key.replace(/^life-\d+\//, '')}`;
  const number = (seen.get(name) ?? 0) + 1;
  seen.set(name, number);
  return `${name} #${number}`;
}

if (isInstalled('go')) {
  buildVersitygw();
  server = await startS3();
  proxy = await startS3Proxy(server.endpoint);
  proxy.fault = (request) => faults.get(/^life-\d+\//.exec(request.key)?.[0] ?? '')?.(request);
}
/** All of them in `npm run test:full`; a third of them, spread over the whole life, takes long enough otherwise. */
const SHARE = process.env['MAYFLY_TESTS_FULL'] ? 1 : 3;
const cases = isInstalled('go')
  ? // To a reader it is all one where the answer was lost.
    (await requestsOfALife())
      .flatMap((name) =>
        (name.startsWith('GET') ? (['before'] as const) : WAYS).map((way) => ({ name, way })),
      )
      .filter((_, i) => i % SHARE === 0)
  : [];

describeWith('go', 'a bucket that fails once', () => {
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  it.concurrent.each(cases)('$name, $way it is done', { timeout: 60_000 }, async ({ name, way }) => {
    let met = false;
    const seen = new Map<string, number>();
    const rig = begin((request) => {
      const hit = nameOf(request, seen) === name;
      met ||= hit;
      return hit ? way : undefined;
    });
    await live(rig, ONE_TRY);
    expect(met).toBe(true);
    await proxy.flush();
    const log = await rig.open();
    expect(await rig.append(log, 1)).toBe(0);
    await log.publish();
    await rig.check(log);
    await log.close();
  });

  it.each(WAYS)('and is patiently asked again: nobody notices (%s)', { timeout: 60_000 }, async (way) => {
    let count = 0;
    const rig = begin(() => (count++ % 3 === 1 ? way : undefined));
    const log = await rig.open({ endpoint: proxy.endpoint, patience: PATIENT });
    for (const size of [2, 252, 3]) {
      expect(await rig.append(log, size)).toBe(0);
      await log.publish();
    }
    expect((await rig.check(log)).size).toBe(257);
    await log.close();
    expect(rig.errors).toEqual([]);
  });
});
