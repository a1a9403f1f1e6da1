// The Worker in workerd, with real Durable Objects and R2: what only the runtime itself can show.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { keySecrets } from '../../deploy/workers/key-secrets.ts';
import { readLeaf } from '../../src/certificate/leaf.ts';
import { leafIndexOf } from '../../src/log/entry.ts';
import { LogClient } from '../../src/log/log-client.ts';
import { verifyConsistency } from '../../src/log/proof.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { nativeVerifier } from '../../src/node/system/native-verifier.ts';
import { readCertificate, SCT_LIST } from '../fakes/certificate.ts';
import { send } from '../fakes/client.ts';
import { startCtLog } from '../fakes/ct-log.ts';
import { type EdgeHarness, startHarness } from '../fakes/edge-harness.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { FREE_PORTS, start } from '../fakes/process.ts';
import { type Issued, issue, request } from '../fakes/signing-client.ts';
import { describeWith } from '../fakes/skip.ts';

/** For vi.waitFor: a second for the checkpoint, and a busy machine. */
const SOON = { timeout: 20_000, interval: 100 };

let people: FakeIssuer;
beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
});
afterAll(() => people.close());

const configurationOf = (keys: object = {}): string => {
  const issuer = { 'issuer-url': people.url, audiences: ['sigstore'], type: 'email' };
  return stringify({ ...keys, issuers: [issuer] });
};

async function get(base: string, path: string): Promise<Buffer> {
  const response = await fetch(base + path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}

const getJson = async (base: string, path: string) => JSON.parse((await get(base, path)).toString());

async function clientOf(base: string): Promise<LogClient> {
  const { origin, key } = await getJson(base, '/.well-known/mayfly/log.json');
  const tiles = new Map<string, Promise<Buffer>>(); // they never change
  const object = (path: string): Promise<Buffer> => {
    const found = tiles.get(path) ?? get(base, `/log/${path}`);
    if (path.startsWith('tile/')) tiles.set(path, found);
    return found;
  };
  return new LogClient({
    log: { origin, publicKey: new Uint8Array(Buffer.from(key, 'base64')) },
    get: async (path) => new Uint8Array(await object(path)),
    sha256,
    verifier: nativeVerifier,
  });
}

describe('the log', () => {
  let edge: EdgeHarness;
  const received: Issued[] = [];
  beforeAll(async () => {
    edge = await startHarness({ configuration: configurationOf({ 'rate-limits': 'off' }) });
  });
  afterAll(() => edge.close());

  /** Eight at a time. */
  const append = async (count: number): Promise<void> => {
    const token = await people.sign();
    for (let left = count; left > 0; left -= 8) {
      const some = Array.from({ length: Math.min(8, left) }, () => issue(edge.url, { token }));
      received.push(...(await Promise.all(some)));
    }
  };

  /** Waits for a checkpoint over everything, and proves everything in it. */
  const check = async (): Promise<void> => {
    const client = await clientOf(edge.url);
    const head = await vi.waitFor(async () => {
      const newest = await client.treeHead();
      expect(newest.size).toBe(received.length);
      return newest;
    }, SOON);
    const indexes: number[] = [];
    for (const { leaf, authority } of received) {
      const { scts, precertTbs } = readLeaf(new Uint8Array(leaf.der));
      const [sct] = scts;
      const index = sct && leafIndexOf(sct.extensions);
      if (sct === undefined || index === undefined) throw new Error('no SCT with an index');
      const keyHash = sha256(Buffer.from(authority.spki, 'hex'));
      expect(await client.verifySct(sct, keyHash, precertTbs)).toBe(true);
      await client.verifyInclusion(head, index, sct, keyHash, precertTbs);
      indexes.push(index);
    }
    expect(indexes.toSorted((a, b) => a - b)).toEqual([...received.keys()]);
  };

  it('holds what was appended, within a second or so', async () => {
    await append(3);
    await check();
  });

  it('goes on where it was after an eviction', async () => {
    await edge.evict('LogObject', 'log');
    await append(2);
    await check();
  });

  it('publishes what an evicted object had not, without being asked', async () => {
    await append(1);
    await edge.evict('LogObject', 'log');
    await vi.waitFor(async () => {
      const checkpoint = (
        await edge.sql('LogObject', 'log', "SELECT bytes FROM object WHERE key = 'published'")
      )[0];
      expect(Buffer.from(checkpoint?.['bytes'] as ArrayBuffer).toString()).toMatch(/^6\n/);
    }, SOON);
    await check();
  });

  it('moves full tiles to the bucket, and forgets them', { timeout: 60_000 }, async () => {
    const before = await getJson(edge.url, '/log/ct/v1/get-sth');
    await append(270 - received.length);
    await check();
    expect(await edge.stored()).toEqual(
      expect.arrayContaining([
        'checkpoint',
        'tile/0/000',
        'tile/data/000',
        expect.stringMatching(/^issuer\/[0-9a-f]{64}$/),
      ]),
    );
    await vi.waitFor(async () => {
      const [row] = await edge.sql('LogObject', 'log', 'SELECT MIN(past) AS past FROM batch');
      expect(row?.['past']).toBeGreaterThan(256);
    }, SOON);
    const after = await getJson(edge.url, '/log/ct/v1/get-sth');
    const query = `first=${before.tree_size}&second=${after.tree_size}`;
    const { consistency } = await getJson(edge.url, `/log/ct/v1/get-sth-consistency?${query}`);
    const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
    const grown = verifyConsistency(
      sha256,
      before.tree_size,
      bytes(before.sha256_root_hash),
      after.tree_size,
      bytes(after.sha256_root_hash),
      consistency.map(bytes),
    );
    expect(grown).toBe(true);
  });

  it('opens again from the tiles it remembers', async () => {
    await edge.evict('LogObject', 'log');
    await append(1);
    await check();
  });

  it('serves entries, from the bucket and from the edge', async () => {
    for (const start of [0, 255, 256, 269]) {
      const { entries } = await getJson(edge.url, `/log/ct/v1/get-entries?start=${start}&end=${start + 1}`);
      const leaf = Buffer.from(entries[0].leaf_input, 'base64');
      const hash = createHash('sha256').update(Buffer.of(0)).update(leaf).digest('base64');
      const query = `hash=${encodeURIComponent(hash)}&tree_size=270`;
      const proof = await getJson(edge.url, `/log/ct/v1/get-proof-by-hash?${query}`);
      expect(proof.leaf_index).toBe(start);
    }
  });

  it('says how long its answers keep, and compresses data once', async () => {
    const cacheOf = async (path: string) => (await fetch(edge.url + path)).headers.get('cache-control');
    expect(await cacheOf('/log/tile/0/000')).toBe('public, max-age=31536000, immutable');
    expect(await cacheOf('/log/tile/0/001.p/14')).toBe('public, max-age=31536000, immutable');
    expect(await cacheOf('/log/checkpoint')).toBe('public, max-age=1');
    expect(await cacheOf('/log/tile/0/001')).toBe('no-store');
    const path = `${edge.url}/log/tile/data/000`;
    const answers = await Promise.all(
      ['identity', 'gzip'].map((coding) => fetch(path, { headers: { 'accept-encoding': coding } })),
    );
    expect(answers.map(({ headers }) => headers.get('content-encoding'))).toEqual([null, 'gzip']);
    // fetch unpacks once.
    const [plain, packed] = await Promise.all(answers.map((answer) => answer.text()));
    expect(packed).toBe(plain);
  });

  it('tells what is true of the deployment as metrics', async () => {
    const metrics = (await get(edge.url, '/metrics')).toString();
    expect(metrics).toContain('mayfly_log_tree_size 271\n');
    expect(metrics).toMatch(/mayfly_log_tree_timestamp_seconds \d/);
  });

  it('does not take over a bucket that shows more than it knows', async () => {
    const checkpoint = Buffer.from(await get(edge.url, '/log/checkpoint')).toString();
    await edge.evict('LogObject', 'log');
    await edge.put('checkpoint', Buffer.from(checkpoint.replace('\n271\n', '\n272\n')));
    await expect(append(1)).rejects.toThrow('Error entering certificate in CTL');
    expect(edge.logs().join('\n')).toContain('the bucket shows 272 entries, but this log has published 271');
    const answer = await request(edge.url, { token: await people.sign() });
    expect([answer.status, answer.json]).toMatchObject([503, { code: 14 }]);
    // An isolate shows what it saw for a second.
    await vi.waitFor(async () => expect((await send(edge.url, '/readyz')).status).toBe(503), SOON);
    expect((await send(edge.url, '/healthz')).status).toBe(200);
  });
});

describe('limits', () => {
  it('survive the eviction of their objects', async () => {
    const rate = { burst: 2, count: 1, period: '1h' };
    const limits = { 'rate-limits': { defaults: { 'certificates-per-identity': rate } }, log: 'none' };
    const edge = await startHarness({ configuration: configurationOf(limits) });
    try {
      const token = await people.sign();
      const statuses: number[] = [];
      for (let i = 0; i < 4; i++) {
        statuses.push((await request(edge.url, { token })).status);
        for (const shard of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
          await edge.evict('LimitObject', shard).catch(() => undefined); // most are not there
      }
      expect(statuses).toEqual([200, 200, 429, 429]);
    } finally {
      await edge.close();
    }
  });
});

describe('keys of an issuer', () => {
  it('are fetched once for all who ask at the same time, and are there after an eviction', async () => {
    const claims = { email: 'dana@example.org', email_verified: true };
    const busy = await startIssuer({ claims });
    const issuer = { 'issuer-url': busy.url, audiences: ['sigstore'], type: 'email' };
    const edge = await startHarness({ configuration: stringify({ log: 'none', issuers: [issuer] }) });
    try {
      const token = await busy.sign();
      await Promise.all(Array.from({ length: 12 }, () => issue(edge.url, { token })));
      expect(busy.hits).toEqual({ discovery: 1, jwks: 1 });
      await edge.evict('KeysObject', busy.url);
      // Unknown to the isolate, so that the object is asked again.
      const header = { kid: 'nobody-has-this' };
      expect((await request(edge.url, { token: await busy.sign({}, { header }) })).status).toBe(400);
      await issue(edge.url, { token });
      expect(busy.hits.jwks).toBeLessThanOrEqual(2);
    } finally {
      await edge.close();
      await busy.close();
    }
  });
});

describe('what the environment says', () => {
  const BEARER = 'a-token-of-at-least-sixteen-characters';
  let edge: EdgeHarness;
  beforeAll(async () => {
    edge = await startHarness({
      configuration: configurationOf({ log: 'none', audit: { claims: ['email_verified'] } }),
      overrides: { FROZEN_ISSUERS: people.url, EXPLAIN_BEARERS: BEARER },
    });
  });
  afterAll(() => edge.close());

  it('freezes an issuer', async () => {
    const answer = await request(edge.url, { token: await people.sign() });
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('POLICY_DENIED')]);
    expect(await getJson(edge.url, '/api/v2/configuration')).toEqual({ issuers: [] });
    const line = edge.logs().find((text) => text.includes('"event":"refused"'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      event: 'refused',
      reason: 'POLICY_DENIED',
      rule: 'frozen',
      san: 'dana@example.org',
      claims: { email_verified: true },
      address: expect.any(String),
    });
  });

  it('opens the explain endpoint to those who know the token', async () => {
    const explain = async (bearer: string) =>
      fetch(`${edge.url}/api/mayfly/v1/explain`, {
        method: 'POST',
        headers: { authorization: `Bearer ${bearer}` },
        body: JSON.stringify({ token: await people.sign() }),
      });
    expect((await explain('another-token-of-sixteen')).status).toBe(401);
    expect((await explain(BEARER)).status).toBe(200);
  });
});

describe('a log elsewhere', () => {
  it('is submitted to, and its SCT verified', async () => {
    const ctLog = await startCtLog();
    const edge = await startHarness({
      configuration: configurationOf({ log: { url: ctLog.url, 'public-key': ctLog.publicKey } }),
    });
    try {
      const { leaf } = await issue(edge.url, { token: await people.sign() });
      expect(leaf.extension(SCT_LIST)).toBeDefined();
      expect(ctLog.submissions).toHaveLength(1);
      const { ctlogs } = await getJson(edge.url, '/.well-known/mayfly/trusted_root.json');
      expect(ctlogs.map(({ baseUrl }: { baseUrl: string }) => baseUrl)).toEqual([ctLog.url]);
      ctLog.behaviour = 'forge';
      expect((await request(edge.url, { token: await people.sign() })).status).toBe(503);
    } finally {
      await edge.close();
      await ctLog.close();
    }
  });
});

describe('a Mayfly in the log role behind it', () => {
  it('holds what the Worker issued, for those who show the bearer', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mayfly-hybrid-'));
    const secrets = await keySecrets({ folder: join(folder, 'keys'), kind: 'serve' });
    const root = secrets.CA_CHAIN?.slice(secrets.CA_CHAIN.lastIndexOf('-----BEGIN')) ?? '';
    const bearer = 'a-token-of-at-least-sixteen-characters';
    writeFileSync(join(folder, 'roots.pem'), root);
    writeFileSync(join(folder, 'bearer'), bearer);
    const args = ['serve', ...FREE_PORTS, '--ephemeral', '--role', 'log'];
    const log = start([
      ...args,
      ...['--log-roots', join(folder, 'roots.pem'), '--log-bearer-file', join(folder, 'bearer')],
    ]);
    const edges: EdgeHarness[] = [];
    try {
      const [line] = await log.saying(/^\{.*"msg":"ready"\}$/m);
      const { url } = JSON.parse(line) as { readonly url: string };
      const { key } = await getJson(url, '/.well-known/mayfly/log.json');
      const publicKey = `-----BEGIN PUBLIC KEY-----\n${key}\n-----END PUBLIC KEY-----\n`;
      const configuration = configurationOf({ log: { url: `${url}/log`, 'public-key': publicKey } });
      const [known, stranger] = await Promise.all([
        startHarness({ configuration, secrets, logBearer: bearer }),
        startHarness({ configuration, secrets }),
      ]);
      edges.push(known, stranger);
      const token = await people.sign();
      expect((await request(stranger.url, { token })).status).toBe(503);
      const { leaf, authority } = await issue(known.url, { token });
      const client = await clientOf(url);
      const head = await vi.waitFor(async () => {
        const newest = await client.treeHead();
        expect(newest.size).toBe(1);
        return newest;
      }, SOON);
      const { scts, precertTbs } = readLeaf(new Uint8Array(leaf.der));
      const [sct] = scts;
      if (sct === undefined) throw new Error('no SCT');
      const keyHash = sha256(Buffer.from(authority.spki, 'hex'));
      expect(await client.verifySct(sct, keyHash, precertTbs)).toBe(true);
      await client.verifyInclusion(head, 0, sct, keyHash, precertTbs);
      await log.stop('SIGKILL');
      expect((await request(known.url, { token })).json).toMatchObject({ code: 14 });
      expect((await send(known.url, '/log/checkpoint')).status).toBe(404);
    } finally {
      await log.stop('SIGKILL');
      await Promise.all(edges.map((edge) => edge.close()));
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('keys in a Worker of their own', () => {
  let edge: EdgeHarness;
  beforeAll(async () => {
    edge = await startHarness({ configuration: configurationOf(), signer: true });
  });
  afterAll(() => edge.close());

  it('sign certificates, SCTs and tree heads', async () => {
    const { leaf, authority } = await issue(edge.url, { token: await people.sign() });
    expect(leaf.x509.verify(authority.x509.publicKey)).toBe(true);
    await vi.waitFor(async () => {
      expect((await (await clientOf(edge.url)).treeHead()).size).toBe(1);
    }, SOON);
    expect((await send(edge.url, '/readyz')).text).toContain('READY');
  });

  describeWith('openssl', 'sign timestamps', () => {
    it('that OpenSSL takes', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'mayfly-edge-tsa-'));
      const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
      try {
        writeFileSync(join(folder, 'data'), 'what is timestamped');
        openssl('ts', '-query', '-data', 'data', '-sha256', '-cert', '-out', 'query');
        const response = await fetch(`${edge.url}/api/v1/timestamp`, {
          method: 'POST',
          headers: { 'content-type': 'application/timestamp-query' },
          body: readFileSync(join(folder, 'query')),
        });
        writeFileSync(join(folder, 'reply'), Buffer.from(await response.arrayBuffer()));
        const chain = (await get(edge.url, '/api/v1/timestamp/certchain')).toString();
        const root = chain.slice(chain.lastIndexOf('-----BEGIN'));
        expect(readCertificate(root).subject).toBe(readCertificate(root).issuer);
        writeFileSync(join(folder, 'root'), root);
        const said = openssl('ts', '-verify', '-queryfile', 'query', '-in', 'reply', '-CAfile', 'root');
        expect(said.toString()).toContain('Verification: OK');
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
});
