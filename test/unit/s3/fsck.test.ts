// fsck of a log in a real bucket, in which damage is done by hand to the files under it.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import type { Finding, FsckReport } from '../../../src/log/fsck.ts';
import { fsckBucket } from '../../../src/node/log/s3-fsck.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { later } from '../../../src/node/system/timer.ts';
import { Bucket } from '../../../src/s3/bucket.ts';
import { run } from '../../fakes/process.ts';
import { type S3Server, startS3 } from '../../fakes/s3.ts';
import { describeWith } from '../../fakes/skip.ts';
import { temporaryFolder } from '../log/support.ts';
import { BucketRig } from './support.ts';

/** Published; 20 more stand in the journal alone. */
const SIZE = 600;

describeWith('go', 'fsck of a bucket', () => {
  let server: S3Server;
  let rig: BucketRig;
  let folder = '';
  let objects: Bucket;
  const prefix = 'fsck/';
  beforeAll(async () => {
    server = await startS3();
    rig = new BucketRig(server, prefix);
    folder = `${server.folder}/${prefix}`;
    objects = new Bucket({ ...server, prefix, sha256, schedule: later, fetch });
    const log = await rig.open();
    for (let i = 0; i < 6; i++) {
      await rig.append(log, SIZE / 6);
      await log.publish();
    }
    await log.close();
    // As after a crash: what is durable was not published.
    const killed = await rig.open();
    await rig.append(killed, 20);
    const [published, checkpoint] = [bytesOf('published'), bytesOf('public/checkpoint')];
    await killed.close();
    await objects.put('published', published);
    await objects.put('public/checkpoint', checkpoint);
    for (const level of ['0', 'data']) await objects.delete(`public/tile/${level}/002.p/108`);
  });
  afterAll(() => server.stop());

  const bytesOf = (key: string): Buffer<ArrayBuffer> => readFileSync(folder + key);

  function look(onProgress?: (entries: number) => void): Promise<FsckReport> {
    const { endpoint, bucket, region, credentials } = server;
    return fsckBucket(
      { endpoint, bucket, region, prefix, credentials },
      {
        publicKey: parsePublicKey(rig.ledger.signer.publicKey),
        ...(onProgress === undefined ? {} : { onProgress }),
      },
    );
  }

  /** Every file with its content. */
  function everything(): Map<string, string> {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
    return new Map(
      files.map(({ parentPath, name }) => {
        const path = `${parentPath}/${name}`;
        return [path, readFileSync(path).toString('base64')];
      }),
    );
  }

  /** Findings with the damage done, which is undone again. */
  async function withDamage(
    key: string,
    change: 'gone' | ((bytes: Buffer) => Uint8Array),
  ): Promise<readonly Finding[]> {
    const bytes = bytesOf(key);
    if (change === 'gone') await objects.delete(key);
    else await objects.put(key, Uint8Array.from(change(bytes)));
    try {
      return (await look()).findings;
    } finally {
      await objects.put(key, Uint8Array.from(bytes));
    }
  }

  const flip = (at: number) => (bytes: Buffer) => bytes.with(at, (bytes[at] ?? 0) ^ 1);
  const cut = (length: number) => (bytes: Buffer) => bytes.subarray(0, length);

  it('finds nothing wrong with a good one, tells how far it is, and changes nothing', async () => {
    const before = everything();
    const progress: number[] = [];
    const { size, findings } = await look((entries) => void progress.push(entries));
    expect(findings).toEqual([]);
    expect(size).toBe(SIZE + 20);
    expect(progress[0]).toBe(256);
    expect(progress.at(-1)).toBe(size);
    expect(everything()).toEqual(before);
  });

  it.each<[string, 'gone' | ((bytes: Buffer) => Uint8Array), RegExp, RegExp]>([
    [
      'public/tile/data/000',
      flip(60),
      /^tile\/data\/000, entry 0$/,
      /leaf hash is not the one in tile\/0\/000/,
    ],
    ['public/tile/data/001', 'gone', /^tile\/data\/001$/, /missing/],
    ['public/tile/0/000', flip(40), /^tile\/data\/000, entry 1$/, /leaf hash/],
    ['public/tile/0/001', cut(100), /^tile\/0\/001$/, /100 bytes/],
    ['public/tile/0/002.p/88', flip(40), /^tile\/0\/002\.p\/88$/, /not the beginning/],
    ['public/tile/0/002.p/88', 'gone', /^tile\/0\/002\.p\/88$/, /missing/],
    // The precertificate of the first entry, which no hash of the tree covers.
    ['public/tile/data/002.p/88', flip(1100), /^tile\/data\/002\.p\/88$/, /not the beginning/],
    ['public/tile/data/002.p/88', cut(5000), /^tile\/data\/002\.p\/88$/, /not the beginning/],
    ['public/tile/1/000.p/2', flip(40), /^tile\/1\/000\.p\/2$/, /not the beginning/],
    ['public/checkpoint', 'gone', /^checkpoint$/, /missing/],
    ['public/checkpoint', flip(70), /^checkpoint$/, /not signed/],
    ['published', 'gone', /^published$/, /missing/],
    ['published', cut(2), /^published$/, /malformed/],
    ['identity', flip(2), /^identity$/, /names another log/],
    ['wal/0000000000500', flip(200), /^wal\/0000000000500$/, /damaged/],
    ['wal/0000000000500', 'gone', /^journal$/, /lacks the entries from 512 to 599/],
    ['wal/0000000000500', cut(0), /^journal$/, /lacks the entries from 512 to 599/],
  ])('%s damaged (%#) is found there', async (key, change, where, what) => {
    expect(await withDamage(key, change)).toContainEqual({
      where: expect.stringMatching(where),
      what: expect.stringMatching(what),
    });
  });

  it('says that records of old were deleted, and that one lies under another’s key', async () => {
    const last = 'wal/0000000000600.000001';
    expect(await withDamage(last, () => bytesOf('wal/0000000000500'))).toContainEqual({
      where: last,
      what: 'the record is that of index 500',
    });
    // A lifecycle rule removes what is old, whole runs of it; emptied ones need not be followed closely.
    const old = new BucketRig(server, 'old/');
    const log = await old.open();
    for (let i = 0; i < 3; i++) await old.append(log, 1000);
    await log.publish();
    await log.close();
    const stored = new Bucket({ ...server, prefix: 'old/', sha256, schedule: later, fetch });
    for (const name of readdirSync(`${server.folder}/old/wal`)) {
      const first = Number(name.slice(0, 13));
      if (first > 0 && first < 2000) await stored.delete(`wal/${name}`);
    }
    const { endpoint, bucket, region, credentials } = server;
    const { findings } = await fsckBucket(
      { endpoint, bucket, region, prefix: 'old/', credentials },
      { publicKey: parsePublicKey(old.ledger.signer.publicKey) },
    );
    expect(findings).toContainEqual({
      where: 'wal/0000000002000',
      what: expect.stringMatching(/^the keys between index 1 and it are gone/),
    });
  });

  it('is right about a log that goes on meanwhile', async () => {
    const other = new BucketRig(server, 'moving/');
    const log = await other.open();
    let open = true;
    const writing = (async () => {
      while (open) {
        await other.append(log, 7);
        await log.publish();
        // A leader's pace, a hundred times as fast.
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    try {
      const { endpoint, bucket, region, credentials } = server;
      for (let i = 0; i < 10; i++) {
        const { findings } = await fsckBucket(
          { endpoint, bucket, region, prefix: 'moving/', credentials },
          { publicKey: parsePublicKey(other.ledger.signer.publicKey) },
        );
        expect(findings).toEqual([]);
      }
    } finally {
      open = false;
      await writing;
      await log.close();
    }
  });

  it('is done from the command line with the configuration of the instance', async () => {
    const place = temporaryFolder();
    const key = rig.ledger.signer.publicKey;
    const pem = Buffer.from(key).toString('base64').replaceAll(/.{64}/g, '$&\n');
    writeFileSync(`${place}/log.pem`, `-----BEGIN PUBLIC KEY-----\n${pem}\n-----END PUBLIC KEY-----\n`);
    writeFileSync(
      `${place}/mayfly.yaml`,
      `log: { s3: { endpoint: "${server.endpoint}", bucket: ${server.bucket}, prefix: ${prefix} } }\n`,
    );
    const fsck = (...args: string[]) =>
      run(['log', 'fsck', '--key', 'log.pem', ...args], {
        cwd: place,
        env: {
          AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
        },
      });
    // Entries of this test are no certificates, which the command looks into too.
    const { stdout: text } = await fsck('--json');
    const all = JSON.parse(text) as { readonly size: number; findings: Finding[] };
    expect(all.size, text).toBe(SIZE + 20);
    expect(
      all.findings.every(({ where, what }) => /entry|journal/.test(where) && /certificate/.test(what)),
    ).toBe(true);
    const { code, stdout, stderr } = await fsck('--config', `${place}/absent.yaml`);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('absent.yaml cannot be read');
  });
});
