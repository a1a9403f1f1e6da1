// The bucket store over a real S3 server: an object that stands already, when the store's answer to that is lost.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LogDamage } from '../../../src/log/journal.ts';
import { nativeRandom } from '../../../src/node/system/native-random.ts';
import { later } from '../../../src/node/system/timer.ts';
import { Bucket, BucketError } from '../../../src/s3/bucket.ts';
import { BucketStore } from '../../../src/s3/bucket-store.ts';
import { Term } from '../../../src/s3/term.ts';
import { type S3Server, startS3 } from '../../fakes/s3.ts';
import { type S3Proxy, startS3Proxy } from '../../fakes/s3-proxy.ts';
import { describeWith } from '../../fakes/skip.ts';
import { startProxy, type TcpProxy } from '../../fakes/tcp-proxy.ts';
import { sha256 } from '../log/support.ts';
import { ONE_TRY } from './support.ts';

/** As a full data tile of certificates for workflows. */
const LARGE = 300_000;

describeWith('go', 'creating what stands already', () => {
  let server: S3Server;
  let lossy: S3Proxy;
  let line: TcpProxy;
  beforeAll(async () => {
    server = await startS3();
    lossy = await startS3Proxy(server.endpoint);
    line = await startProxy(server.port);
  }, 900_000);
  afterAll(async () => {
    await line.close();
    await lossy.close();
    await server.stop();
  });

  const unanswered: unknown[] = [];
  const storeAt = (endpoint: string): BucketStore => {
    const asking: typeof fetch = (...request) =>
      fetch(...request).catch((error: unknown) => {
        unanswered.push(error);
        throw error;
      });
    const { bucket: name, region, credentials } = server;
    const place = { endpoint, bucket: name, region, prefix: 'tiles/', credentials };
    const bucket = new Bucket({ ...place, sha256, schedule: later, fetch: asking, patience: ONE_TRY });
    return new BucketStore({ bucket, folder: '', term: new Term(nativeRandom(16)), guarded: new Map() });
  };
  const bytesOf = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(length));

  test.each([100, LARGE])('of %i bytes is done, whether or not its answer arrives', async (length) => {
    const store = storeAt(lossy.endpoint);
    const bytes = bytesOf(length);
    const key = `there-${length}`;
    for (const fault of [undefined, 'after', undefined] as const) {
      lossy.fault = ({ method }) => (method === 'PUT' ? fault : undefined);
      await store.create(key, bytes);
    }
    lossy.fault = () => undefined;
    expect(await store.get(key)).toEqual(bytes);
  });

  test('with other content is damage, also when the answer is lost', async () => {
    const store = storeAt(lossy.endpoint);
    await store.create('other', bytesOf(LARGE));
    for (const fault of [undefined, 'after'] as const) {
      lossy.fault = ({ method }) => (method === 'PUT' ? fault : undefined);
      await expect(store.create('other', bytesOf(LARGE))).rejects.toThrow(LogDamage);
    }
    lossy.fault = () => undefined;
  });

  test('nothing stands and there was no answer: that is the failure, and no other', async () => {
    const store = storeAt(lossy.endpoint);
    lossy.fault = ({ method }) => (method === 'PUT' ? 'before' : undefined);
    await expect(store.create('nowhere', bytesOf(100))).rejects.toThrow(BucketError);
    lossy.fault = ({ method }) => (method === 'PUT' ? 'denied' : undefined);
    await expect(store.create('nowhere', bytesOf(100))).rejects.toThrow(/these credentials/);
    lossy.fault = () => undefined;
    await store.create('nowhere', bytesOf(100));
  });

  test('a store that refuses a large object before it has read it, and hangs up, is asked what it holds', async () => {
    const bytes = bytesOf(4 * LARGE);
    const store = storeAt(`http://127.0.0.1:${line.port}`);
    await store.create('slow', bytes);
    line.delay(30); // the answer comes after the store has hung up
    unanswered.length = 0;
    for (let i = 0; i < 5; i++) await store.create('slow', bytes);
    expect(unanswered.length).toBeGreaterThan(0);
    await expect(store.create('slow', bytesOf(4 * LARGE))).rejects.toThrow(LogDamage);
  });
});
