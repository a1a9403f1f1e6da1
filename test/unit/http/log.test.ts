import { gunzipSync } from 'node:zlib';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { base64, fromBase64, hex } from '../../../src/encoding/bytes.ts';
import { logRoutes } from '../../../src/http/log.ts';
import { describeLog } from '../../../src/log/description.ts';
import type { OpenLog } from '../../../src/log/open-log.ts';
import { rootOfInclusion, verifyConsistency } from '../../../src/log/proof.ts';
import { audit } from '../log/audit.ts';
import { mth } from '../log/reference.ts';
import { CHAIN, entryOf, openLog, p256Signer, sha256, temporaryFolder } from '../log/support.ts';

const PREFIX = 'https://log.example.com/log/';
const SIZE = 520;
const signer = p256Signer();
let log: OpenLog;
let app: Hono;
let leaves: readonly Buffer[];
const bugs: unknown[] = [];

beforeAll(async () => {
  log = await openLog({ folder: temporaryFolder(), signer });
  await Promise.all(Array.from({ length: SIZE }, (_, i) => log.log.append(entryOf(i, 200))));
  await log.publish();
  // Durable, but not published: nobody may see it.
  await log.log.append(entryOf(SIZE, 200));
  leaves = (await audit(log.reader, signer.publicKey)).leaves;
  app = new Hono().route(
    '/log',
    logRoutes({
      reader: log.reader,
      prefix: () => PREFIX,
      roots: () => [CHAIN[1] ?? new Uint8Array()],
      errors: 'helpful',
      onBug: (cause) => bugs.push(cause),
    }),
  );
});
afterAll(() => log.close());

const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  app.request(`/log/${path}`, { headers });
const body = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());
const json = async (path: string): Promise<Record<string, unknown>> => {
  const response = await get(path);
  expect(response.status, path).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  return (await response.json()) as Record<string, unknown>;
};
const bytes = (value: unknown): Uint8Array<ArrayBuffer> => fromBase64(String(value)) ?? new Uint8Array();
const list = (value: unknown): Uint8Array<ArrayBuffer>[] => (value as string[]).map(bytes);
const FOREVER = 'public, max-age=31536000, immutable';

describe('static-ct-api', () => {
  it.each([
    ['checkpoint', 'text/plain; charset=utf-8', 'public, max-age=1'],
    ['tile/0/000', 'application/octet-stream', FOREVER],
    ['tile/0/002.p/8', 'application/octet-stream', FOREVER],
    ['tile/1/000.p/2', 'application/octet-stream', FOREVER],
    ['tile/data/002.p/8', 'application/octet-stream', FOREVER],
    [`issuer/${hex(sha256(CHAIN[0] ?? new Uint8Array()))}`, 'application/pkix-cert', FOREVER],
    ['log.v3.json', 'application/json', 'public, max-age=1'],
  ])('serves %s with its type and for anyone', async (path, type, caching) => {
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('cache-control')).toBe(caching);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
  });

  it('gives every partial tile as the beginning of the full one', async () => {
    const full = { hash: await body(await get('tile/0/001')), data: await body(await get('tile/data/001')) };
    expect(full.hash).toHaveLength(8192);
    for (const width of [1, 2, 128, 255]) {
      const hashes = await body(await get(`tile/0/001.p/${width}`));
      expect(hashes).toEqual(full.hash.subarray(0, 32 * width));
      const data = await body(await get(`tile/data/001.p/${width}`));
      expect(data.length).toBeLessThan(full.data.length);
      expect(data).toEqual(full.data.subarray(0, data.length));
    }
  });

  it.each([
    'tile/0/003',
    'tile/0/002',
    'tile/0/002.p/9',
    'tile/data/002.p/9',
    'tile/1/000',
    'tile/1/000.p/3',
    'tile/2/000.p/1',
    'tile/0/000.p/256',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/0',
    'tile/0/x000/000',
    'tile/0/000/000',
    'tile/00/000',
    'tile/6/000',
    'tile/-1/000',
    'tile/names/000',
    'tile/data/../0/003',
    `tile/0/${'x999/'.repeat(50)}999`,
    `issuer/${'0'.repeat(64)}`,
    `issuer/${hex(sha256(CHAIN[0] ?? new Uint8Array())).toUpperCase()}`,
    'issuer/..%2F..%2Fpublished',
    'published',
    '',
    'ct/v1/add-chain',
  ])('has no %s', async (path) => {
    const response = await get(path);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({ code: 5, message: 'Not Found' });
    expect(bugs).toEqual([]);
  });

  it('does not let a failure be cached', async () => {
    expect((await get('tile/0/009')).headers.get('cache-control')).toBe('no-store');
  });

  it('gzips data tiles for those who ask', async () => {
    const plain = await body(await get('tile/data/000'));
    for (const accept of ['gzip', 'br;q=1.0, gzip;q=0.8', '*']) {
      const response = await get('tile/data/000', { 'accept-encoding': accept });
      expect(response.headers.get('content-encoding')).toBe('gzip');
      expect(response.headers.get('vary')).toBe('Accept-Encoding');
      expect(gunzipSync(await body(response))).toEqual(plain);
    }
    for (const accept of ['br', 'gzip;q=0', 'identity'])
      expect(
        (await get('tile/data/000', { 'accept-encoding': accept })).headers.get('content-encoding'),
      ).toBeNull();
    expect(
      (await get('tile/0/000', { 'accept-encoding': 'gzip' })).headers.get('content-encoding'),
    ).toBeNull();
  });

  it('only reads', async () => {
    for (const method of ['POST', 'PUT', 'DELETE'])
      expect((await app.request('/log/checkpoint', { method })).status).toBe(405);
    const head = await app.request('/log/checkpoint', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('says who it is', async () => {
    const id = base64(sha256(signer.publicKey));
    const known = {
      key: base64(signer.publicKey),
      log_id: id,
      monitoring_url: PREFIX,
      submission_url: PREFIX,
    };
    expect(await json('log.v3.json')).toMatchObject({ ...known, mmd: 60 });
    expect(describeLog(log.reader.identity, PREFIX)).toEqual({
      ...known,
      origin: 'log.example.com/2026',
    });
  });
});

describe('RFC 6962 reads', () => {
  it('get-sth says what the checkpoint says', async () => {
    const sth = await json('ct/v1/get-sth');
    const [, size, root] = (await body(await get('checkpoint'))).toString().split('\n');
    expect([String(sth['tree_size']), sth['sha256_root_hash']]).toEqual([size, root]);
    const { treeHead } = log.reader.publication;
    expect(sth).toMatchObject({
      timestamp: treeHead.timestamp,
      tree_head_signature: base64(treeHead.signature),
    });
  });

  it.each([
    [1, 1],
    [1, SIZE],
    [255, 256],
    [256, SIZE],
    [300, 301],
    [SIZE, SIZE],
  ])('get-sth-consistency proves %i in %i', async (first, second) => {
    const { consistency } = await json(`ct/v1/get-sth-consistency?first=${first}&second=${second}`);
    const roots = [mth(leaves.slice(0, first)), mth(leaves.slice(0, second))] as const;
    expect(verifyConsistency(sha256, first, roots[0], second, roots[1], list(consistency))).toBe(true);
  });

  it('get-proof-by-hash finds entries in every tree they are in', async () => {
    for (const [index, size] of [
      [0, 1],
      [7, 256],
      [300, 301],
      [SIZE - 1, SIZE],
    ] as const) {
      const leaf = mth(leaves.slice(index, index + 1));
      const hash = encodeURIComponent(base64(leaf));
      const found = await json(`ct/v1/get-proof-by-hash?hash=${hash}&tree_size=${size}`);
      expect(found['leaf_index']).toBe(index);
      const root = rootOfInclusion(sha256, leaf, index, size, list(found['audit_path']));
      expect(root && hex(root)).toBe(hex(mth(leaves.slice(0, size))));
    }
  });

  it('get-proof-by-hash takes a plus sign that was not escaped', async () => {
    const index = leaves.findIndex((leaf) => base64(mth([leaf])).includes('+'));
    const hash = base64(mth(leaves.slice(index, index + 1))).replaceAll('=', '%3D');
    expect((await json(`ct/v1/get-proof-by-hash?hash=${hash}&tree_size=${SIZE}`))['leaf_index']).toBe(index);
  });

  it('get-proof-by-hash does not find what is not in that tree', async () => {
    for (const [hash, size] of [
      [mth(leaves.slice(300, 301)), 300],
      [new Uint8Array(32), SIZE],
    ] as const) {
      const response = await get(
        `ct/v1/get-proof-by-hash?hash=${encodeURIComponent(base64(hash))}&tree_size=${size}`,
      );
      expect(response.status).toBe(404);
    }
  });

  it('get-entries gives leaf and chain, up to the end of a tile', async () => {
    const { entries } = await json('ct/v1/get-entries?start=254&end=100000');
    const got = entries as { leaf_input: string; extra_data: string }[];
    expect(got).toHaveLength(2);
    expect(got.map(({ leaf_input }) => leaf_input)).toEqual(leaves.slice(254, 256).map(base64));
    const { precertificate } = entryOf(254, 200);
    const extra = Buffer.from(got[0]?.extra_data ?? '', 'base64');
    expect(extra.readUIntBE(0, 3)).toBe(precertificate.length);
    expect(extra.subarray(3, 3 + precertificate.length)).toEqual(Buffer.from(precertificate));
    const chain = Buffer.concat(CHAIN.flatMap((der) => [Buffer.of(0, 0, der.length), der]));
    const rest = extra.subarray(3 + precertificate.length);
    expect(rest.readUIntBE(0, 3)).toBe(chain.length);
    expect(rest.subarray(3)).toEqual(chain);
    expect((await json(`ct/v1/get-entries?start=10&end=12`))['entries']).toHaveLength(3);
    expect((await json(`ct/v1/get-entries?start=519&end=519`))['entries']).toHaveLength(1);
  });

  it('get-entry-and-proof gives both', async () => {
    const found = await json('ct/v1/get-entry-and-proof?leaf_index=300&tree_size=400');
    const leaf = bytes(found['leaf_input']);
    expect(hex(leaf)).toBe(leaves[300]?.toString('hex'));
    const root = rootOfInclusion(sha256, mth([leaf]), 300, 400, list(found['audit_path']));
    expect(root && hex(root)).toBe(hex(mth(leaves.slice(0, 400))));
  });

  it('get-roots lists the roots', async () => {
    expect(await json('ct/v1/get-roots')).toEqual({ certificates: [base64(CHAIN[1] ?? new Uint8Array())] });
  });

  const hash = encodeURIComponent(base64(new Uint8Array(32)));
  it.each([
    'get-sth-consistency',
    'get-sth-consistency?first=1',
    'get-sth-consistency?first=0&second=1',
    'get-sth-consistency?first=2&second=1',
    'get-sth-consistency?first=1&second=521',
    'get-sth-consistency?first=-1&second=5',
    'get-sth-consistency?first=1e0&second=5',
    'get-sth-consistency?first=01&second=5',
    'get-sth-consistency?first=1&second=99999999999999999999999',
    'get-sth-consistency?first=NaN&second=Infinity',
    'get-proof-by-hash?tree_size=5',
    `get-proof-by-hash?hash=${hash}`,
    `get-proof-by-hash?hash=${hash}&tree_size=0`,
    `get-proof-by-hash?hash=${hash}&tree_size=521`,
    'get-proof-by-hash?hash=AAAA&tree_size=5',
    'get-proof-by-hash?hash=%F0%28%8C&tree_size=5',
    'get-entries?start=0',
    'get-entries?start=5&end=4',
    'get-entries?start=520&end=521',
    'get-entries?start=-1&end=4',
    'get-entries?start=0x1&end=4',
    'get-entry-and-proof?leaf_index=520&tree_size=521',
    'get-entry-and-proof?leaf_index=5&tree_size=5',
  ])('refuse %s', async (path) => {
    const response = await get(`ct/v1/${path}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 3, details: [{ reason: 'REQUEST_MALFORMED' }, {}] });
    expect(bugs).toEqual([]);
  });
});
