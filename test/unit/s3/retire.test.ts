// A log in a bucket is ended for good, whatever fails meanwhile and whoever leads: after the seal there is nothing more.

import { readdirSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { frozenKey } from '../../../src/log/frozen.ts';
import type { OpenLog, SharedLog } from '../../../src/log/open-log.ts';
import { s3Stores } from '../../../src/node/log/s3-log.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { later } from '../../../src/node/system/timer.ts';
import { Bucket } from '../../../src/s3/bucket.ts';
import { type S3Server, startS3 } from '../../fakes/s3.ts';
import { type Fault, type S3Proxy, type S3Request, startS3Proxy } from '../../fakes/s3-proxy.ts';
import { describeWith } from '../../fakes/skip.ts';
import { BucketRig, ONE_TRY, untilReady } from './support.ts';

const WAYS: readonly Fault[] = ['before', 'after', 'late'];
/** With a full tile and partial ones. */
const SIZE = 258;

describeWith('go', 'the end of a log in a bucket', () => {
  let server: S3Server;
  let proxy: S3Proxy;
  let rigs = 0;
  beforeAll(async () => {
    server = await startS3();
    proxy = await startS3Proxy(server.endpoint);
  }, 300_000);
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  function begin() {
    const prefix = `end-${rigs++}/`;
    const { endpoint, bucket, region, credentials } = server;
    const place = { endpoint, bucket, region, prefix, credentials };
    return {
      rig: new BucketRig(server, prefix),
      folder: `${server.folder}/${prefix}`,
      bucket: new Bucket({ ...server, prefix, sha256, schedule: later, fetch }),
      key: () => frozenKey(s3Stores({ bucket: place }).guard),
    };
  }
  function sharedOf({ shared }: OpenLog): SharedLog {
    if (shared === undefined) throw new Error('a log in a bucket is shared');
    return shared;
  }
  /** Nothing but the final tree is ever seen again, and all that was promised is in it. */
  async function expectOver({ rig, key, folder }: ReturnType<typeof begin>, size: number): Promise<void> {
    expect(Buffer.from((await key()) ?? [])).toEqual(Buffer.from(rig.ledger.signer.publicKey));
    const wal = readdirSync(`${folder}wal`);
    const log = await rig.open();
    expect([sharedOf(log).over, sharedOf(log).leads, log.ready]).toEqual([true, false, false]);
    expect(await rig.append(log, 1)).toBe(1);
    expect((await rig.check(log)).size).toBe(size);
    await log.close();
    expect(readdirSync(`${folder}wal`)).toEqual(wal);
  }

  it('is seen by those who stand by, and by whoever opens it later', async () => {
    const world = begin();
    const log = await world.rig.open();
    await world.rig.append(log, SIZE);
    const waiting = await world.rig.open();
    await sharedOf(log).retire();
    expect((await world.rig.check(log)).size).toBe(SIZE);
    await sharedOf(waiting).ended;
    expect(waiting.reader.checkpoint()).toEqual(log.reader.checkpoint());
    for (const one of [log, waiting]) await one.close();
    await expectOver(world, SIZE);
    expect(world.rig.errors).toEqual([]);
  });

  it('is finished by the next process where the one that sealed it went away at once', async () => {
    const world = begin();
    const log = await world.rig.open();
    await world.rig.append(log, SIZE);
    await sharedOf(log).retire();
    const checkpoint = log.reader.checkpoint();
    await log.close();
    rmSync(`${world.folder}final`);
    const next = await world.rig.open();
    expect(next.reader.checkpoint()).toEqual(checkpoint);
    await next.close();
    await expectOver(world, SIZE);
  });

  it('is not brought about by one that leads no more: it waits, and what the next took is in it', async () => {
    const world = begin();
    const { rig, bucket } = world;
    const log = await rig.open();
    await rig.append(log, 5);
    await log.publish();
    // Another has begun a term and goes away again.
    await bucket.put('wal/0000000000005', Buffer.from(`MFT1${'x'.repeat(16)}`));
    await sharedOf(log).retire();
    expect(rig.errors.map(String).join()).toContain('another process has written at index 5');
    await log.close();
    await expectOver(world, 5);

    const other = begin();
    const first = await other.rig.open();
    await other.rig.append(first, 5);
    await first.publish();
    const second = await other.rig.open();
    const retired = sharedOf(second).retire();
    await other.rig.append(first, 3);
    await first.close(); // the one that waits to end it gets its turn
    await retired;
    await second.close();
    await expectOver(other, 8);
  });

  it('comes though any request on the way to it fails, and another process tries it, too', {
    timeout: 120_000,
  }, async () => {
    const names = new Set<string>();
    const end = async (fault: (request: S3Request) => Fault | undefined, both: boolean): Promise<void> => {
      const world = begin();
      const { rig } = world;
      proxy.fault = () => undefined;
      const log = await rig.open({ endpoint: proxy.endpoint, patience: ONE_TRY });
      const other = both ? await rig.open() : undefined;
      await rig.append(log, SIZE);
      proxy.fault = (request) => fault({ ...request, key: request.key.replace(/^end-\d+\//, '') });
      const ends = [log, other].flatMap((one) => (one === undefined ? [] : [sharedOf(one).retire()]));
      await Promise.all(ends);
      proxy.fault = () => undefined;
      await proxy.flush();
      await log.close();
      await other?.close();
      await expectOver(world, SIZE);
    };
    await end(({ method, key }) => {
      if (key !== 'leader') names.add(`${method} ${key}`);
      return undefined;
    }, false);
    expect([...names]).toEqual(expect.arrayContaining([expect.stringMatching(/^PUT wal\//), 'PUT final']));
    for (const [i, name] of [...names].entries()) {
      for (const [j, way] of WAYS.entries()) {
        let met = false;
        await end(
          ({ method, key }) => {
            if (met || `${method} ${key}` !== name) return undefined;
            met = true;
            return way;
          },
          (i + j) % 2 === 0,
        );
      }
    }
  });

  it('keeps nobody from closing it who waits for it', async () => {
    const { rig } = begin();
    const log = await rig.open();
    const waiting = await rig.open();
    const retired = expect(sharedOf(waiting).retire()).rejects.toMatchObject({ code: 'draining' });
    await waiting.close();
    await retired;
    await untilReady(log);
    await log.close();
  });
});
