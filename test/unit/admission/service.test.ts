// Admission at the door of a whole instance: what clients read of their limits, and who is counted for what.

import { afterEach, describe, expect, it } from 'vitest';
import { type InstanceOptions, startInstance, type TestInstance } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { request } from '../../fakes/signing-client.ts';

const stack: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of stack.splice(0).reverse()) await close();
});

async function world(settings: InstanceOptions['settings'], fields: object = {}) {
  const issuer = await startIssuer({ claims: { email: 'a@example.com', email_verified: true } });
  stack.push(() => issuer.close());
  const instance = await startInstance({
    issuers: [{ issuer, type: 'email', ...fields }],
    settings: settings ?? {},
  });
  stack.push(() => instance.close());
  return { issuer, instance };
}

const rate = (burst: number) => ({ burst, count: 1, period: '1h' });
const limits = (defaults: object) => ({ 'rate-limits': { defaults } });

describe('RateLimit fields', () => {
  it('tell after a certificate what is left, and nothing of the issuer as a whole', async () => {
    const { issuer, instance } = await world(limits({ 'certificates-per-identity': rate(3) }));
    const { status, headers } = await request(instance.url, { token: await issuer.sign() });
    expect(status).toBe(200);
    expect(headers['ratelimit-policy']).toBe(
      '"certificates-per-identity";q=3;w=10800;mayfly-refill=1;mayfly-period=3600',
    );
    expect(headers['ratelimit']).toMatch(/^"certificates-per-identity";r=2;t=3(?:600|599)$/);
  });

  it.each(['v1', 'v2'] as const)('and a 429 of %s name the limit that refused', async (api) => {
    const { issuer, instance } = await world(limits({ 'certificates-per-identity': rate(1) }));
    const order = { token: await issuer.sign(), api };
    await instance.issue(order);
    const { status, headers, json } = await request(instance.url, order);
    expect(status).toBe(429);
    expect(headers['ratelimit']).toMatch(/^"certificates-per-identity";r=0;t=\d+$/);
    expect(Number(headers['retry-after'])).toBeGreaterThan(3500);
    expect(json).toMatchObject({
      code: 8,
      message: expect.stringContaining('it allows a burst of 1, and 1 flow back every 1h'),
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      'violated-policies': ['certificates-per-identity'],
    });
  });

  it('are not there where limits are off', async () => {
    const { issuer, instance } = await world({ 'rate-limits': 'off' });
    const { headers } = await request(instance.url, { token: await issuer.sign() });
    expect(headers['ratelimit']).toBeUndefined();
  });

  it('may be read by pages', async () => {
    const { issuer, instance } = await world({});
    const headers = { origin: 'https://app.example' };
    const answer = await request(instance.url, { token: await issuer.sign(), headers });
    expect(answer.headers['access-control-expose-headers']).toContain('RateLimit-Policy');
  });
});

describe('replay rules hold with limits off', () => {
  it.each([
    ['once', 'P-256', 400],
    ['same-key', 'P-256', 200],
    ['same-key', 'P-384', 400],
    ['allow', 'P-384', 200],
  ] as const)('%s, then %s: %i', async (replay, key, status) => {
    const { issuer, instance } = await world({ 'rate-limits': 'off' }, { replay });
    const token = await issuer.sign();
    // A bad proof does not use the token up.
    expect((await request(instance.url, { token, challenge: 'x' })).status).toBe(400);
    await instance.issue({ token });
    expect((await request(instance.url, { token, key })).status).toBe(status);
  });
});

describe('an address that failed too often', () => {
  const two = limits({ 'failures-per-address': rate(2) });

  async function fail(instance: TestInstance, issuer: FakeIssuer, headers = {}): Promise<number> {
    const bad = await issuer.sign({}, { header: { kid: 'nobody' } });
    return (await request(instance.url, { token: bad, headers })).status;
  }

  it('causes no fetch any more, and its good tokens are as good as ever', async () => {
    const { issuer, instance } = await world(two);
    await instance.issue({ token: await issuer.sign() });
    for (const _ of [1, 2]) expect(await fail(instance, issuer)).toBe(400);
    const stranger = await startIssuer();
    stack.push(() => stranger.close());
    const before = issuer.fetches;
    await instance.issue({ token: await issuer.sign() });
    expect(issuer.fetches).toBe(before);
  });

  it('is told so where a fetch would be needed, which is no failure', async () => {
    const wanted = await startIssuer({ claims: { email: 'a@example.com', email_verified: true } });
    stack.push(() => wanted.close());
    wanted.discovery = 'down'; // so that its keys are not there yet
    const other = await startIssuer();
    stack.push(() => other.close());
    const instance = await startInstance({
      issuers: [
        { issuer: wanted, type: 'email' },
        { issuer: other, type: 'email' },
      ],
      settings: {
        ...limits({ 'failures-per-address': { burst: 2, count: 1, period: '1h' } }),
        'trusted-proxies': ['127.0.0.1'],
      },
    });
    stack.push(() => instance.close());
    const from = (address: string) => ({ 'x-forwarded-for': address });
    for (const _ of [1, 2]) {
      const expired = await other.sign({}, { expiresIn: -10 });
      await request(instance.url, { token: expired, headers: from('198.51.100.1') });
    }
    wanted.discovery = 'serve';
    const sibling = await wanted.sibling('/fresh', {
      claims: { email: 'a@example.com', email_verified: true },
    });
    expect(sibling.fetches).toBe(0);
    const answer = await request(instance.url, { token: await wanted.sign(), headers: from('198.51.100.1') });
    // Either its keys are paused after the failed fetch, or it is refused; in no case fetched for this address.
    expect([400, 429]).toContain(answer.status);
  });

  it('is told apart behind a listed proxy, and only there', async () => {
    const { issuer, instance } = await world({ ...two, 'trusted-proxies': ['127.0.0.1'] }, {});
    await instance.issue({ token: await issuer.sign() });
    const attacker = { 'x-forwarded-for': '198.51.100.1' };
    for (const _ of [1, 2]) await fail(instance, issuer, attacker);
    await issuer.rotate();
    // The new key is unknown here: it takes a fetch, which the attacker's address does not get.
    const fresh = await issuer.sign();
    const refused = await request(instance.url, { token: fresh, headers: attacker });
    expect([400, 429]).toContain(refused.status);
  });
});
