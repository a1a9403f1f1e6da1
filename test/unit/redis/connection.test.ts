import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { connectRedis } from '../../../src/redis/connection.ts';
import { freePort, type RedisServer, startCluster, startRedis } from '../../fakes/redis.ts';
import { describeWith } from '../../fakes/skip.ts';
import { grants, identity, type Observed, observe, owner, spend, use } from './support.ts';

/** What a limiter needs, and nothing else (src/redis/connection.ts). */
const ACL = '~mayfly:* +eval +evalsha +time +mget +set +del +hello +info';

let observed: Observed | undefined;
afterEach(() => observed?.limiter.close());

async function exact(settings: Parameters<typeof observe>[0]): Promise<void> {
  observed = observe(settings, { budget: 10_000, onBackendError: 'closed' });
  await observed.limiter.ready(10_000);
  expect(await grants(observed.limiter, [identity(10), owner(20)], 30)).toBe(10);
  const verdict = await spend(observed.limiter, [identity(1, 'refunded')], use());
  if (!verdict.allowed) throw new Error('a full bucket refused');
  await verdict.refund();
  expect((await spend(observed.limiter, [identity(1, 'refunded')], use({ spkiHash: 'new' }))).allowed).toBe(
    true,
  );
  expect(observed.changes).toEqual([]);
}

describeWith('openssl', 'with certificates', () => {
  describeWith('redis', 'a Redis with TLS and ACLs', () => {
    let folder: string;
    const file = (name: string) => join(folder, name);
    let redis: RedisServer;
    let tlsPort: number;

    const certificates = () => [
      ...['--tls-auth-clients', 'yes', '--tls-cert-file', file('cert.pem')],
      ...['--tls-key-file', file('key.pem'), '--tls-ca-cert-file', file('ca.pem')],
    ];

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'mayfly-redis-tls-'));
      for (const command of [
        'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem',
        'req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis -addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout key.pem -out csr.pem',
        'x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy -out cert.pem',
      ]) {
        const done = spawnSync('openssl', command.split(' '), { cwd: folder, encoding: 'utf8' });
        if (done.status !== 0) throw new Error(done.stderr);
      }
      tlsPort = await freePort();
      redis = await startRedis({ args: [...certificates(), '--tls-port', String(tlsPort)] });
      await redis.admin.acl('SETUSER', 'mayfly', 'on', '>p@ss/word', ...ACL.split(' '));
      await redis.admin.acl('SETUSER', 'bare', 'on', '>p', ...ACL.replace('+evalsha', '').split(' '));
    });
    afterAll(async () => {
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const tls = () => ({
      ca: readFileSync(file('ca.pem'), 'utf8'),
      cert: readFileSync(file('cert.pem'), 'utf8'),
      key: readFileSync(file('key.pem'), 'utf8'),
    });

    it('serves an ACL user with the few commands it needs, user and password in the URL', () =>
      exact({ urls: [`redis://mayfly:${encodeURIComponent('p@ss/word')}@127.0.0.1:${redis.port}`] }));

    it('serves over TLS, with a private CA and a client certificate', async () => {
      await redis.admin.flushall();
      await exact({
        urls: [`rediss://localhost:${tlsPort}`],
        username: 'mayfly',
        password: 'p@ss/word',
        tls: tls(),
      });
    });

    it('serves as a Cluster over TLS, each node by its own certificate', async () => {
      const cluster = await startCluster(certificates());
      try {
        await exact({ urls: cluster.urls, tls: tls() });
      } finally {
        await cluster.stop();
      }
    });

    it.each([
      ['a wrong password', () => ({ urls: [`redis://mayfly:wrong@127.0.0.1:${redis.port}`] })],
      ['a missing permission', () => ({ urls: [`redis://bare:p@127.0.0.1:${redis.port}`] })],
      ['a server certificate of an unknown CA', () => ({ urls: [`rediss://localhost:${tlsPort}`] })],
    ])('%s is an outage, not a pass', async (_, settings) => {
      observed = observe(settings(), { budget: 2000, onBackendError: 'closed' });
      await observed.limiter.ready(100);
      for (let i = 0; i < 3; i++) {
        expect(await spend(observed.limiter, [identity(10)])).toEqual({
          allowed: false,
          reason: 'unavailable',
        });
      }
      expect(observed.changes).toEqual(['unavailable']);
    });
  });
});

describeWith('redis', 'a Sentinel group', () => {
  it("is found, and followed to its new master, through ioredis' own options", async () => {
    const master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    const linked = async () => (await replica.admin.info('replication')).includes('master_link_status:up');
    while (!(await linked())) await new Promise((resolve) => setTimeout(resolve, 20));
    const sentinel = await startRedis({ sentinel: master.port }); // asks the master for replicas at once, then seldom
    try {
      observed = observe(
        {
          urls: [master.url],
          options: { sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: 'mayfly' },
        },
        { budget: 2000, onBackendError: 'closed' },
      );
      const { limiter, reaches } = observed;
      await limiter.ready(10_000);
      expect(await grants(limiter, [identity(10)], 4)).toBe(4);
      const copied = () => replica.admin.exists('mayfly:{issuer}:identity');
      while ((await copied()) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await master.kill();
      expect((await spend(limiter, [identity(10)])).allowed).toBe(false);
      await reaches('available');
      expect(await grants(limiter, [identity(10)], 20)).toBe(6);
    } finally {
      await Promise.all([sentinel.stop(), replica.stop(), master.stop()]);
    }
  });
});

it.each([
  ['http://127.0.0.1:6379'],
  ['127.0.0.1:6379'],
  ['redis://127.0.0.1/name'],
  ['redis://a%zz@127.0.0.1'],
  [''],
])('%j is no Redis URL', (url) => expect(() => connectRedis({ urls: [url] })).toThrow(TypeError));

it('no URL is an error, not a default server', () =>
  expect(() => connectRedis({ urls: [] })).toThrow(TypeError));

it('reads host, port, database and user of a URL', () => {
  const client = connectRedis({ urls: ['redis://user:p%40ss@[::1]:7000/3'], options: { lazyConnect: true } });
  if (!(client instanceof Redis)) throw new Error('a Cluster');
  expect(client.options).toMatchObject({
    host: '::1',
    port: 7000,
    db: 3,
    username: 'user',
    password: 'p@ss',
  });
  client.disconnect();
});
