// A log in a real bucket: what lies there, who may write it, and what an instance that waits says.

import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseSettings } from '../../../src/config/settings.ts';
import { type Service, startService } from '../../../src/node/service.ts';
import { silentLogger } from '../../../src/node/system/logger.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { later } from '../../../src/node/system/timer.ts';
import { Bucket } from '../../../src/s3/bucket.ts';
import { send } from '../../fakes/client.ts';
import { KINDS } from '../../fakes/instance.ts';
import { type S3Server, startS3 } from '../../fakes/s3.ts';
import { startS3Proxy } from '../../fakes/s3-proxy.ts';
import { describeWith } from '../../fakes/skip.ts';
import { temporaryFolder } from '../log/support.ts';
import { BucketRig, untilReady } from './support.ts';

describeWith('go', 'a log in a bucket', () => {
  let server: S3Server;
  let rigs = 0;
  beforeAll(async () => {
    server = await startS3();
  });
  afterAll(() => server.stop());

  function begin(): { readonly rig: BucketRig; readonly folder: string; readonly bucket: Bucket } {
    const prefix = `log-${rigs++}/`;
    return {
      rig: new BucketRig(server, prefix),
      folder: `${server.folder}/${prefix}`,
      bucket: new Bucket({ ...server, prefix, sha256, schedule: later, fetch }),
    };
  }

  it('empties the records that full tiles hold and deletes none of them', async () => {
    const { rig, folder } = begin();
    const log = await rig.open();
    for (const count of [100, 100, 100]) {
      await rig.append(log, count);
      await log.publish();
    }
    await log.close();
    const wal = readdirSync(`${folder}wal`).toSorted();
    // Those appended at once go together.
    const bytes = (name: string): number => statSync(`${folder}wal/${name}`).size;
    const [marker = '', ...records] = wal;
    expect(bytes(marker)).toBe(20);
    expect(records).toEqual(['0000000000000.000001', '0000000000100', '0000000000200']);
    expect(records.map((name) => bytes(name) > 0)).toEqual([false, false, true]);
    expect(readFileSync(`${folder}public/tile/0/000`).length).toBe(8192);
    expect(readdirSync(`${folder}public/issuer`)).toHaveLength(2);

    const again = await rig.open();
    expect(again.size).toBe(300);
    await rig.append(again, 1);
    await again.publish();
    expect((await rig.check(again)).size).toBe(301);
    await again.close();
  });

  it('opens what needs many listings, and a journal whose tail was never emptied', async () => {
    const { rig, bucket } = begin();
    const log = await rig.open();
    for (let i = 0; i < 40; i++) await rig.append(log, 100);
    await log.publish();
    await log.close();
    // As after a crash between a publication and its tombstones; long ago.
    await bucket.put('wal/0000000000100', Uint8Array.from({ length: 100 }));
    const again = await rig.open();
    await rig.append(again, 300);
    await again.publish();
    expect((await rig.check(again)).size).toBe(4300);
    await again.close();
  });

  it('refuses a bucket in which the journal was deleted, whatever deleted it', async () => {
    const { rig, folder } = begin();
    const log = await rig.open();
    await rig.append(log, 300);
    await log.publish();
    await log.close();
    rmSync(`${folder}wal`, { recursive: true });
    await expect(rig.open()).rejects.toThrow('never deleted');
  });

  it('refuses a journal that is older than what was published, and another key', async () => {
    const { rig, folder } = begin();
    const log = await rig.open();
    await rig.append(log, 10);
    await log.publish();
    await rig.append(log, 10);
    await log.publish();
    await log.close();
    const other = new BucketRig(server, folder.slice(server.folder.length + 1));
    const { signer } = other.ledger;
    const stranger = { ...signer, publicKey: Uint8Array.from([...signer.publicKey, 0]) };
    await expect(other.open({ signer: stranger })).rejects.toThrow('not the one this log was founded with');
    rmSync(`${folder}wal/0000000000010`);
    await expect(rig.open()).rejects.toThrow('holds 10 entries, but 20 were published');
  });

  it('has one leader; the next begins where a straggler would write', async () => {
    const { rig, bucket } = begin();
    const log = await rig.open();
    await rig.append(log, 5);
    await log.publish();
    const waiting = await rig.open();
    expect(waiting.ready).toBe(false);
    expect(waiting.reader.size).toBe(5);
    expect(await rig.append(waiting, 2)).toBe(2);
    await expect(waiting.publish()).rejects.toMatchObject({ code: 'log_unavailable' });

    // The leader is taken for dead: its lease is in another's hands, who has put a marker where it writes next.
    await bucket.put('wal/0000000000005', Buffer.from(`MFT1${'x'.repeat(16)}`));
    expect(await rig.append(log, 1)).toBe(1);
    expect(log.ready).toBe(false);
    // The lease is its own still, so it begins another term, behind that marker.
    await untilReady(log);
    expect(await rig.append(log, 1)).toBe(0);
    expect(rig.errors.map(String).join()).toContain('another process has written at index 5');
    await log.close();
    await untilReady(waiting);
    expect(await rig.append(waiting, 1)).toBe(0);
    await waiting.publish();
    expect((await rig.check(waiting)).size).toBe(7);
    await waiting.close();
  });

  it('stops leading when `published` was replaced by another, and signs no head of its own', async () => {
    const { rig, folder, bucket } = begin();
    const log = await rig.open();
    await rig.append(log, 5);
    await log.publish();
    await rig.append(log, 1);
    // As the next leader would: the same tree, a later time.
    const before = readFileSync(`${folder}published`, 'utf8').split('\n');
    const checkpoint = readFileSync(`${folder}public/checkpoint`, 'utf8');
    await bucket.put('published', Buffer.from(`${before[0]}\n${before[1]}\n${Number(before[2]) + 1000}\n`));
    await expect(log.publish()).rejects.toThrow('another process has replaced published');
    expect(readFileSync(`${folder}public/checkpoint`, 'utf8')).toBe(checkpoint);
    await untilReady(log);
    await log.publish();
    expect((await rig.check(log)).timestamp).toBeGreaterThan(Number(before[2]) + 1000);
    await log.close();
  });

  it('shows each published size in full, for those who read the bucket alone', async () => {
    const { rig, folder } = begin();
    const log = await rig.open();
    const sizes = [3, 100, 255];
    for (const [i, size] of sizes.entries()) {
      await rig.append(log, size - (sizes[i - 1] ?? 0));
      await log.publish();
    }
    const partials = (tile: string): number[] =>
      existsSync(`${folder}public/tile/${tile}.p`)
        ? readdirSync(`${folder}public/tile/${tile}.p`)
            .map(Number)
            .toSorted((a, b) => a - b)
        : [];
    for (const level of ['0', 'data']) {
      // Each of them until there is the full one.
      expect(partials(`${level}/000`)).toEqual(sizes);
      expect(existsSync(`${folder}public/tile/${level}/000`)).toBe(false);
      for (const width of sizes) {
        const stored = readFileSync(`${folder}public/tile/${level}/000.p/${width}`);
        const address = { level: level === 'data' ? level : Number(level), index: 0, width } as const;
        expect(stored.equals((await log.reader.tile(address)) ?? new Uint8Array())).toBe(true);
      }
    }
    await rig.append(log, 5);
    await log.publish();
    expect((await rig.check(log)).size).toBe(260);
    await log.close();
    for (const level of ['0', 'data']) {
      expect(partials(`${level}/000`)).toEqual([]);
      expect(existsSync(`${folder}public/tile/${level}/000`)).toBe(true);
      expect(partials(`${level}/001`)).toEqual([4]);
    }
    expect(partials('1/000')).toEqual([1]);
    expect(rig.errors).toEqual([]);
  });

  it('leaves partial tiles where its credentials may not delete, says so once, and goes on', async () => {
    const { rig, folder } = begin();
    const proxy = await startS3Proxy(server.endpoint);
    let denied = 0;
    proxy.fault = ({ method }) => {
      if (method !== 'DELETE') return undefined;
      denied += 1;
      return 'denied';
    };
    try {
      const log = await rig.open({ endpoint: proxy.endpoint });
      for (const count of [100, 200, 300]) {
        expect(await rig.append(log, count)).toBe(0);
        await log.publish();
      }
      expect((await rig.check(log)).size).toBe(600);
      await log.close();
    } finally {
      await proxy.close();
    }
    expect(denied).toBe(1);
    expect(rig.errors.map(String)).toEqual([
      'Error: partial tiles that full ones have replaced stay in the bucket',
    ]);
    expect(readdirSync(`${folder}public/tile/0/000.p`)).toEqual(['100']);
    expect(existsSync(`${folder}public/tile/0/001`)).toBe(true);
  });

  it('shows its readers what another process has published while it waits, and says nothing that is not borne out', async () => {
    const { rig, folder } = begin();
    const log = await rig.open();
    await rig.append(log, 5);
    await log.publish();
    const waiting = await rig.open();
    const seen = async (size: number): Promise<void> => {
      while (waiting.reader.size < size) await new Promise((resolve) => setTimeout(resolve, 2));
    };
    for (const count of [1, 300, 206, 100]) {
      await rig.append(log, count);
      await log.publish();
      await seen(log.size);
      // All that it is asked is answered from the bucket; its tree is that of everything ever signed.
      expect((await rig.check(waiting)).size).toBe(log.size);
      expect(waiting.reader.checkpoint()).toEqual(log.reader.checkpoint());
      const proof = await waiting.reader.inclusion(log.size - 1, log.size);
      expect(proof).toEqual(await log.reader.inclusion(log.size - 1, log.size));
      const tile = await waiting.reader.tile({ level: 0, index: 0, width: 1 });
      while ((await waiting.reader.find(tile ?? new Uint8Array(), 1).catch(() => undefined)) !== 0)
        await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(waiting.ready).toBe(false);
    expect(rig.errors).toEqual([]);

    // Bit rot in a tile that the checkpoint needs.
    const path = `${folder}public/tile/0/002.p/${log.size - 512}`;
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.with(40, (bytes[40] ?? 0) ^ 1));
    const misled = await rig.open();
    expect(misled.reader.opened).toBe(false);
    expect(rig.errors.map(String).join()).toContain('do not have the root of the checkpoint');
    await misled.close();
    await waiting.close();
    await log.close();
  });

  it('is an instance’s log by its configuration; one that waits is not ready and issues nothing', async () => {
    const folder = temporaryFolder();
    const secret = `${folder}/secret`;
    writeFileSync(secret, `${server.credentials.secretAccessKey}\n`);
    const { settings } = parseSettings(
      `log: { s3: { endpoint: "${server.endpoint}", bucket: ${server.bucket}, prefix: service/,
        access-key-id: ${server.credentials.accessKeyId}, secret-access-key: { file: "${secret}" } } }`,
      { fileName: 'the test', kinds: KINDS, readFile: (path) => readFileSync(path, 'utf8') },
    );
    const start = (): Promise<Service> =>
      startService({
        settings: { ...settings, port: 0, grpcPort: 0, metricsPort: 0, data: `${folder}/data` },
        kind: 'serve',
        ephemeral: false,
        logger: silentLogger,
      });
    const first = await start();
    const second = await start();
    try {
      expect((await send(first.url, '/readyz')).status).toBe(200);
      const readiness = await send(second.url, '/readyz');
      expect(readiness.status).toBe(503);
      expect(readiness.text).toContain('log');
      expect((await send(second.url, '/healthz')).status).toBe(200);
      expect((await send(first.url, '/log/checkpoint')).status).toBe(200);
      const shown = await send(second.url, '/log/checkpoint');
      expect([shown.status, shown.text.split('\n')[1]]).toEqual([200, '0']);
      expect((await send(second.metricsUrl.replace('/metrics', ''), '/metrics')).status).toBe(200);
    } finally {
      await first.close();
    }
    while ((await send(second.url, '/readyz')).status !== 200)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await send(second.url, '/log/checkpoint')).status).toBe(200);
    await second.close();
    const names = readdirSync(`${folder}/data/log`);
    expect(names.some((name) => name.startsWith('leaf-index-'))).toBe(true);
  });
});
