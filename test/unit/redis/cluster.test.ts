import { Cluster } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type RedisCluster, type RedisServer, startCluster } from '../../fakes/redis.ts';
import { describeWith } from '../../fakes/skip.ts';
import { grants, identity, type Observed, observe, owner, spend, use } from './support.ts';

describeWith('redis', 'RedisLimiter on a Cluster of three masters', () => {
  let cluster: RedisCluster;
  let observed: Observed;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    for (const { admin } of cluster.nodes) await admin.flushall();
    observed = observe({ urls: cluster.urls }, { budget: 10_000, onBackendError: 'closed' });
    await observed.limiter.ready(10_000);
  });
  afterEach(() => observed.limiter.close());

  async function slotOf(tag: string): Promise<number> {
    return Number(await cluster.nodes[0]?.admin.call('CLUSTER', 'KEYSLOT', `{${tag}}`));
  }

  /** An issuer key for each node. */
  async function tags(): Promise<readonly string[]> {
    const found: string[] = [];
    for (let i = 0; found.filter((tag) => tag !== undefined).length < 3; i++) {
      const node = Math.floor((await slotOf(`issuer${i}`)) / (16384 / 3));
      found[node] ??= `issuer${i}`;
    }
    return found;
  }

  async function nodeOf(slot: number): Promise<readonly [RedisServer, string]> {
    for (const node of cluster.nodes) {
      const own = String(await node.admin.call('CLUSTER', 'NODES'))
        .split('\n')
        .find((line) => line.includes('myself'));
      const ranges = own?.split(' ').slice(8) ?? [];
      const holds = ranges.some((range) => {
        const [from = '', to = from] = range.split('-');
        return Number(from) <= slot && slot <= Number(to);
      });
      if (holds) return [node, own?.split(' ')[0] ?? ''];
    }
    throw new Error('a slot without a node');
  }

  it('decides all limits of an issuer in one step on one node, and issuers are spread over the nodes', async () => {
    for (const tag of await tags()) {
      const charges = [identity(10), owner(15)];
      const verdicts = await Promise.all(
        Array.from({ length: 40 }, () => spend(observed.limiter, charges, use(), tag)),
      );
      expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(10);
      expect(await grants(observed.limiter, [identity(10, 'second'), owner(15)], 40, tag)).toBe(5);
    }
    const sizes = await Promise.all(cluster.nodes.map(({ admin }) => admin.dbsize()));
    expect(sizes.every((size) => size >= 4)).toBe(true);
    expect(observed.changes).toEqual([]);
  });

  it('follows a slot that is being moved (ASK, TRYAGAIN) and one that has moved (MOVED), exactly', async () => {
    const tag = 'moving';
    const charges = [identity(10), owner(50)];
    const slot = await slotOf(tag);
    const [source, sourceId] = await nodeOf(slot);
    const target = cluster.nodes.find((node) => node !== source);
    if (target === undefined) throw new Error('a lone node');
    const targetId = String(await target.admin.call('CLUSTER', 'MYID'));
    const move = (key: string) =>
      source.admin.call('MIGRATE', '127.0.0.1', target.port, `mayfly:{${tag}}:${key}`, 0, 5000);
    expect(await grants(observed.limiter, charges, 4, tag)).toBe(4);

    await target.admin.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
    await source.admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
    await move('identity');
    const torn = grants(observed.limiter, charges, 2, tag); // one key here, one there: to be tried again
    while (!(await source.admin.info('errorstats')).includes('TRYAGAIN')) await Promise.resolve();
    await move('owner');
    expect(await torn).toBe(2);
    expect(await grants(observed.limiter, charges, 2, tag)).toBe(2); // asked for over there

    for (const { admin } of [target, source]) await admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
    expect(await grants(observed.limiter, charges, 20, tag)).toBe(2); // moved over there
    expect(observed.changes).toEqual([]);
    expect(await source.admin.info('errorstats')).toMatch(/errorstat_ASK.*errorstat_MOVED/s);
    await expect(source.admin.exists(`mayfly:{${tag}}:identity`)).rejects.toThrow(/^MOVED/);
  });

  it('a node that dies takes only its issuers to their local share', async () => {
    const [first = '', second = '', third = ''] = await tags();
    observed.limiter.close();
    observed = observe({ urls: cluster.urls }, { budget: 2000, share: 0.5 });
    const { limiter, changes, reaches } = observed;
    await limiter.ready(10_000);
    expect(await grants(limiter, [identity(10)], 2, second)).toBe(2);
    const [node] = await nodeOf(await slotOf(second));
    await node.kill();
    expect(await grants(limiter, [identity(10)], 40, second)).toBe(5);
    expect(await grants(limiter, [identity(10)], 40, first)).toBe(10);
    expect(await grants(limiter, [identity(10)], 40, third)).toBe(10);
    expect(changes).toEqual(['unavailable']);
    await node.restart();
    await reaches('available');
    expect(await grants(limiter, [identity(20, 'after')], 40, second)).toBe(20);
  });

  it('a node that hangs holds up nobody else, and its own issuers for the budget once', async () => {
    const [first = '', second = ''] = await tags();
    observed.limiter.close();
    observed = observe({ urls: cluster.urls }, { budget: 500, share: 0.5 });
    const { limiter, changes, reaches } = observed;
    await limiter.ready(10_000);
    for (const tag of [first, second]) expect(await grants(limiter, [identity(10)], 2, tag)).toBe(2);
    const [node] = await nodeOf(await slotOf(second));
    node.pause();
    try {
      expect(await grants(limiter, [identity(10)], 40, second)).toBe(5);
      expect(await grants(limiter, [identity(10)], 40, first)).toBe(8); // what Redis has left: no local share
      const started = performance.now();
      for (let i = 0; i < 100; i++) await spend(limiter, [identity(10)], undefined, second);
      expect(performance.now() - started).toBeLessThan(100 * 500); // not once more each
      expect(changes).toEqual(['unavailable']);
    } finally {
      node.resume();
    }
    await reaches('available');
    expect(await grants(limiter, [identity(20, 'after')], 40, second)).toBe(20);
  });

  it('all of it is gone, from the start and later: nothing waits in a queue', async () => {
    observed.limiter.close();
    for (const node of cluster.nodes) await node.kill();
    observed = observe({ urls: cluster.urls }, { budget: 2000, share: 0.5 });
    const { limiter, changes, reaches } = observed;
    await limiter.ready(100);
    const granted = (key: string) =>
      Promise.all(
        ['one', 'two', 'three'].map((tag) => grants(limiter, [identity(10, `${tag}${key}`)], 40, tag)),
      );
    expect(await granted('absent')).toEqual([5, 5, 5]);
    expect(changes).toEqual(['unavailable']);
    await Promise.all(cluster.nodes.map((node) => node.restart()));
    await reaches('available');
    expect(await granted('there')).toEqual([10, 10, 10]);
    for (const node of cluster.nodes) await node.kill();
    expect(await granted('gone')).toEqual([5, 5, 5]);
    await Promise.all(cluster.nodes.map((node) => node.restart()));
    await reaches('available');
    expect(await granted('back')).toEqual([10, 10, 10]);
    expect(changes).toEqual(['unavailable', 'available', 'unavailable', 'available']);
  });

  it('serves an ACL user with the few commands it needs', async () => {
    const rules = '~mayfly:* +eval +evalsha +time +mget +set +del +hello +info +cluster +asking'.split(' ');
    for (const { admin } of cluster.nodes) await admin.acl('SETUSER', 'mayfly', 'on', '>p', ...rules);
    const named = observe(
      { urls: cluster.urls.map((url) => url.replace('//', '//mayfly:p@')) },
      { budget: 10_000, onBackendError: 'closed' },
    );
    await named.limiter.ready(10_000);
    for (const tag of await tags()) expect(await grants(named.limiter, [identity(3)], 9, tag)).toBe(3);
    named.limiter.close();
    expect(named.changes).toEqual([]);
  });

  it('keeps to one slot what an issuance touches', async () => {
    const client = new Cluster([...cluster.urls]);
    await spend(observed.limiter, [identity(5), owner(5)], use(), 'together');
    const keys = (await Promise.all(cluster.nodes.map(({ admin }) => admin.keys('*together*')))).flat();
    const slots = await Promise.all(keys.map((key) => client.cluster('KEYSLOT', key)));
    client.disconnect();
    expect(keys).toHaveLength(3);
    expect(new Set(slots).size).toBe(1);
  });
});
