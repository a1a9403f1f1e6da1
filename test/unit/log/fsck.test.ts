import { beforeAll, describe, expect, it } from 'vitest';
import { type Bytes, hex } from '../../../src/encoding/bytes.ts';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import { verifyCheckpoint } from '../../../src/log/checkpoint.ts';
import { type Finding, fsck } from '../../../src/log/fsck.ts';
import { MemoryLeafIndex } from '../../../src/log/memory.ts';
import type { OpenLog } from '../../../src/log/open-log.ts';
import { parseTilePath } from '../../../src/log/tile.ts';
import { fsckDisk, fsckFolder } from '../../../src/node/log/file-fsck.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';
import type { FakeDisk } from '../../fakes/disk.ts';
import { LogRig } from '../../fakes/log-rig.ts';
import { CHAIN, entryOf, openLog, p256Signer, sha256, temporaryFolder } from './support.ts';

const ISSUER = `issuer/${hex(sha256(CHAIN[0] ?? new Uint8Array()))}`;
const flip = (at: number) => (bytes: Bytes) => bytes.with(at, (bytes[at] ?? 0) ^ 1) as Bytes;
const gone = (): undefined => undefined;

/** 600 published, and 20 that only the journal has. */
let rig: LogRig;
beforeAll(async () => {
  rig = new LogRig();
  const log = await rig.open();
  for (let i = 0; i < 6; i++) await rig.append(log, 100);
  await log.publish();
  for (const count of [1, 19]) await rig.append(log, count); // a record each
});

async function findings(change: (disk: FakeDisk) => void): Promise<readonly Finding[]> {
  const disk = rig.disk.copy();
  change(disk);
  const publicKey = parsePublicKey(rig.ledger.signer.publicKey);
  const before = disk.paths;
  const report = await fsckDisk(disk, { publicKey, guard: '/guard', store: '/public', journal: '/journal' });
  expect(disk.paths).toEqual(before);
  return report.findings;
}

describe('fsck of a folder', () => {
  it('finds nothing wrong with a good log', async () => {
    expect(await findings(() => undefined)).toEqual([]);
  });

  it.each<[string, (bytes: Bytes) => Bytes | undefined, RegExp, RegExp]>([
    [
      '/public/tile/data/000',
      flip(60),
      /^tile\/data\/000, entry 0$/,
      /leaf hash is not the one in tile\/0\/000/,
    ],
    ['/public/tile/data/001', gone, /^tile\/data\/001$/, /missing/],
    ['/public/tile/data/001', (b) => b.slice(0, 5000), /^tile\/data\/001$/, /cannot be read/],
    ['/public/tile/0/000', flip(40), /^tile\/data\/000, entry 1$/, /leaf hash/],
    ['/public/tile/0/001', gone, /^tile\/0\/001$/, /missing/],
    ['/public/tile/0/001', (b) => b.slice(0, 100), /^tile\/0\/001$/, /100 bytes/],
    [`/public/${ISSUER}`, gone, /^issuer\//, /missing; entry 0/],
    [`/public/${ISSUER}`, flip(0), /^issuer\//, /SHA-256/],
    ['/public/checkpoint', gone, /^checkpoint$/, /missing/],
    ['/public/checkpoint', flip(70), /^checkpoint$/, /not signed/],
    ['/guard/published', gone, /^published$/, /missing/],
    ['/guard/identity', gone, /^identity$/, /missing/],
    ['/guard/identity', flip(2), /^identity$/, /names another log/],
    ['/guard/identity', flip(25), /^identity$/, /another key/],
    ['/guard/identity', (b) => b.slice(0, 30), /^identity$/, /malformed/],
    ['/guard/published', (b) => b.slice(4), /^published$/, /./],
  ])('%s damaged is found there', async (path, change, where, what) => {
    const found = await findings((disk) => disk.tamper(path, change));
    expect(found).toContainEqual({ where: expect.stringMatching(where), what: expect.stringMatching(what) });
  });

  it('says that a journal lacks what was published', async () => {
    const found = await findings((disk) => {
      for (const path of disk.paths.filter((name) => name.startsWith('/journal'))) disk.tamper(path, gone);
    });
    expect(found.map(({ where }) => where)).toEqual(['published', 'checkpoint']);
    expect(found[0]?.what).toBe('it covers 600 entries; only 512 were found');
  });

  it('says where in the journal the damage is', async () => {
    const found = await findings((disk) => {
      const [, path = ''] = disk.paths.filter((name) => name.startsWith('/journal'));
      disk.tamper(path, flip(400));
    });
    expect(found).toContainEqual({ where: 'journal', what: expect.stringMatching(/segment/) });
  });

  it('on a real disk, but not while the log is open', async () => {
    const signer = p256Signer();
    const folder = temporaryFolder();
    const publicKey = parsePublicKey(signer.publicKey);
    const log = await openLog({ folder, signer });
    await log.log.append(entryOf(0));
    await expect(fsckFolder({ folder, publicKey })).rejects.toMatchObject({ name: 'FolderInUse' });
    await log.close();
    const progress: number[] = [];
    const report = await fsckFolder({ folder, publicKey, onProgress: (n) => void progress.push(n) });
    expect(report).toMatchObject({ size: 1, findings: [] });
    expect(progress).toEqual([1]);
  });
});

describe('fsck from outside', () => {
  let log: OpenLog;
  beforeAll(async () => {
    log = await rig.fork().open();
  });

  /** As one who reads tiles over HTTP. */
  async function look(
    change: (path: string, bytes: Bytes | undefined) => Bytes | undefined,
  ): Promise<readonly Finding[]> {
    const publicKey = parsePublicKey(rig.ledger.signer.publicKey);
    const head = await verifyCheckpoint(nativeVerifier, sha256, publicKey, log.reader.checkpoint());
    if (head === undefined) throw new Error('the checkpoint does not verify');
    const get = async (path: string): Promise<Bytes | undefined> => {
      const address = parseTilePath(path);
      if (address !== undefined) return change(path, await log.reader.tile(address));
      return change(path, await log.reader.issuer(Buffer.from(path.slice(7), 'hex')));
    };
    const report = await fsck(
      { get, heads: [{ where: 'checkpoint', ...head }], journal: undefined },
      { sha256 },
    );
    expect(report.size).toBe(620);
    return report.findings;
  }

  it('covers partial tiles too', async () => {
    const seen: string[] = [];
    const none = await look((path, bytes) => {
      seen.push(path);
      return bytes;
    });
    expect(none).toEqual([]);
    expect(seen).toEqual(
      expect.arrayContaining(['tile/0/002.p/108', 'tile/data/002.p/108', 'tile/1/000.p/2']),
    );
  });

  it('finds a wrong hash above', async () => {
    const found = await look((path, bytes) => (path === 'tile/1/000.p/2' && bytes ? flip(33)(bytes) : bytes));
    expect(found).toEqual([
      { where: 'tile/1/000.p/2', what: 'hash 1 is not that of the tile below, tile/0/001' },
    ]);
  });

  it('is content with the full tile where a partial one is gone', async () => {
    let asked = false;
    const found = await look((path, bytes) => {
      asked ||= path === 'tile/0/002';
      return path === 'tile/0/002.p/108' ? undefined : path === 'tile/0/002' ? new Uint8Array(8192) : bytes;
    });
    expect(asked).toBe(true);
    expect(found).toHaveLength(109);
  });
});

it('a leaf index that is ahead of the tree starts anew', async () => {
  const index = new MemoryLeafIndex();
  await index.add(0, [sha256(new Uint8Array())]);
  await index.clear();
  expect([index.size, await index.candidates(sha256(new Uint8Array()))]).toEqual([0, []]);
});
