// Admission at the door of a whole instance: what clients read of their limits, and who is counted for what.

import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { type InstanceOptions, startInstance, type TestInstance } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { orderBody, request, spkiOf } from '../../fakes/signing-client.ts';

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
const two = limits({ 'failures-per-address': rate(2) });

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

it('metrics count what limits and replay rules decided, by limit and never by whose it was', async () => {
  const { issuer, instance } = await world(limits({ 'certificates-per-identity': rate(2) }), {
    replay: 'same-key',
  });
  const token = await issuer.sign();
  await instance.issue({ token });
  await request(instance.url, { token, key: 'P-384' });
  await instance.issue({ token });
  await request(instance.url, { token });
  const metrics = await (await fetch(instance.service.metricsUrl)).text();
  for (const line of [
    'mayfly_ratelimit_decisions_total{limit="certificates-per-identity",decision="allowed"} 2',
    'mayfly_ratelimit_decisions_total{limit="certificates-per-issuer",decision="allowed"} 2',
    'mayfly_ratelimit_decisions_total{limit="certificates-per-identity",decision="refused"} 1',
    'mayfly_replay_rejected_total 1',
  ])
    expect(metrics).toContain(line);
  expect(metrics).not.toContain('a@example.com');
});

describe('an address that failed too often', () => {
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

  it('is told so where a fetch would be needed, which is no failure; others are served', async () => {
    const claims = { email: 'a@example.com', email_verified: true };
    const root = await startIssuer({ claims });
    stack.push(() => root.close());
    const fresh = await root.sibling('/fresh', { claims });
    const instance = await startInstance({
      issuers: [{ issuer: { url: `${root.url}/*` }, type: 'email' }], // keys are fetched when a token needs them
      settings: { ...two, 'trusted-proxies': ['127.0.0.1'] },
    });
    stack.push(() => instance.close());
    const attacker = { 'x-forwarded-for': '198.51.100.1' };
    const expired = await fresh.sign({}, { expiresIn: -10 });
    for (const _ of [1, 2]) await request(instance.url, { token: expired, headers: attacker });
    expect(fresh.fetches).toBe(0);

    const order = { token: await fresh.sign() };
    for (const _ of [1, 2, 3]) {
      const { status, json, headers } = await request(instance.url, { ...order, headers: attacker });
      expect(status).toBe(429);
      expect(json).toMatchObject({ code: 8, 'violated-policies': ['failures-per-address'] });
      expect(Number(headers['retry-after'])).toBeGreaterThan(3500);
    }
    expect(fresh.fetches).toBe(0);
    await instance.issue({ ...order, headers: { 'x-forwarded-for': '198.51.100.2' } });
    expect(fresh.fetches).toBe(2);
    await instance.issue({ ...order, headers: attacker }); // its keys are at hand now
    expect(fresh.fetches).toBe(2);
  });

  it('cannot pass as another where no proxy is listed', async () => {
    const claims = { email: 'a@example.com', email_verified: true };
    const root = await startIssuer({ claims });
    stack.push(() => root.close());
    const fresh = await root.sibling('/fresh', { claims });
    const instance = await startInstance({
      issuers: [{ issuer: { url: `${root.url}/*` }, type: 'email' }],
      settings: two,
    });
    stack.push(() => instance.close());
    const expired = await fresh.sign({}, { expiresIn: -10 });
    for (const n of [1, 2]) {
      const headers = { 'x-forwarded-for': `198.51.100.${n}`, forwarded: `for=198.51.100.${n}` };
      await request(instance.url, { token: expired, headers });
    }
    const headers = { 'x-forwarded-for': '198.51.100.9' };
    expect((await request(instance.url, { token: await fresh.sign(), headers })).status).toBe(429);
  });
});

describe('a token bound to a key by its audience', () => {
  const thumbprint = (kind: 'P-256' | 'P-384') =>
    createHash('sha256').update(spkiOf(kind)).digest('base64url');

  it.each([
    [`sigstore+${thumbprint('P-256')}`, 'P-256', 200, ''],
    [['other', `sigstore+${thumbprint('P-256')}`], 'P-256', 200, ''],
    [`sigstore+${thumbprint('P-256')}`, 'P-384', 400, 'KEY_NOT_BOUND'], // a thief's key
    ['sigstore', 'P-256', 400, 'AUDIENCE_MISMATCH'],
    ['sigstore+', 'P-256', 400, 'AUDIENCE_MISMATCH'],
    [`other+${thumbprint('P-256')}`, 'P-256', 400, 'AUDIENCE_MISMATCH'],
    [`sigstore+${thumbprint('P-256')}x`, 'P-256', 400, 'AUDIENCE_MISMATCH'],
  ] as const)('aud %j with a key of %s: %i %s', async (aud, key, status, reason) => {
    const { issuer, instance } = await world({}, { binding: 'audience-thumbprint' });
    const answer = await request(instance.url, { token: await issuer.sign({ aud }), key });
    expect(answer.status).toBe(status);
    if (reason !== '') expect(answer.json).toMatchObject({ details: [{ reason }, {}] });
  });

  it('is announced to those who ask for tokens, and nowhere else', async () => {
    const listed = async (fields: object) => {
      const { instance } = await world({}, fields);
      const listing = await (await fetch(`${instance.url}/api/v2/configuration`)).text();
      const method = `${instance.service.grpcUrl}/dev.sigstore.fulcio.v2.CA/GetConfiguration`;
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(method, { method: 'POST', headers, body: '{}' });
      return [/"binding":"([^"]*)"/.exec(listing)?.[1], answer.status, await answer.text()];
    };
    expect(await listed({ binding: 'audience-thumbprint' })).toEqual([
      'audience-thumbprint',
      200,
      expect.not.stringContaining('binding'),
    ]);
    expect(await listed({})).toEqual([undefined, 200, expect.not.stringContaining('binding')]);
  });

  it('is for another audience where the issuer does not ask for that', async () => {
    const { issuer, instance } = await world({});
    const answer = await request(instance.url, {
      token: await issuer.sign({ aud: `sigstore+${thumbprint('P-256')}` }),
    });
    expect(answer.json).toMatchObject({ details: [{ reason: 'AUDIENCE_MISMATCH' }, {}] });
  });
});

describe('gRPC', () => {
  it('counts failures of the same address together, whichever door they come through', async () => {
    const claims = { email: 'a@example.com', email_verified: true };
    const root = await startIssuer({ claims });
    stack.push(() => root.close());
    const fresh = await root.sibling('/fresh', { claims });
    const instance = await startInstance({
      issuers: [{ issuer: { url: `${root.url}/*` }, type: 'email' }],
      settings: two,
    });
    stack.push(() => instance.close());
    const expired = await fresh.sign({}, { expiresIn: -10 });
    const call = async (token: string) => {
      const response = await fetch(
        `${instance.service.grpcUrl}/dev.sigstore.fulcio.v2.CA/CreateSigningCertificate`,
        {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(orderBody({ token })),
        },
      );
      return { status: response.status, headers: response.headers };
    };
    for (const _ of [1, 2]) expect((await call(expired)).status).toBe(400);
    const refused = await call(await fresh.sign());
    expect(refused.status).toBe(429);
    expect(refused.headers.get('ratelimit')).toContain('"failures-per-address";r=0');
    expect((await request(instance.url, { token: await fresh.sign() })).status).toBe(429);
    expect(fresh.fetches).toBe(0);
  });
});
