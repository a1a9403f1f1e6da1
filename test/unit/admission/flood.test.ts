// A flood of bad tokens for one issuer: what it may cost the issuer, and that another's clients do not feel it.

import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startInstance, type TestInstance } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { orderBody } from '../../fakes/signing-client.ts';

const BAD = 10_000;
const CLIENTS = 32;

let victim: FakeIssuer;
let other: FakeIssuer;
let instance: TestInstance;
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

beforeAll(async () => {
  const claims = { email: 'a@example.com', email_verified: true };
  victim = await startIssuer({ claims });
  other = await startIssuer({ claims });
  instance = await startInstance({
    issuers: [
      { issuer: victim, type: 'email' },
      { issuer: other, type: 'email' },
    ],
    settings: {
      log: 'none',
      'trusted-proxies': ['127.0.0.1'], // so that each bad token can have an address of its own
      'rate-limits': {
        defaults: { 'certificates-per-identity': { burst: 100_000, count: 1, period: '1h' } },
      },
    },
  });
});
afterAll(async () => {
  agent.destroy();
  await instance.close();
  await victim.close();
  await other.close();
});

function post(body: string, address: string): Promise<number> {
  const { hostname, port } = new URL(instance.url);
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': address };
    const sent = request(
      { hostname, port, path: '/api/v2/signingCert', method: 'POST', agent, headers },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** A token that nobody signed, with a key id of its own. */
function forge(n: number, signed: string): string {
  const header = { alg: 'ES256', typ: 'JWT', kid: `made-up-${n}` };
  const payload = signed.split('.')[1];
  return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.${'A'.repeat(86)}`;
}

it(`${BAD} bad tokens from as many addresses make at most 2 fetches, and every good token is served`, {
  timeout: 180_000,
}, async () => {
  const good = JSON.stringify(orderBody({ token: await other.sign() }));
  const mould = await victim.sign();
  expect(await post(JSON.stringify(orderBody({ token: mould })), '198.51.100.1')).toBe(200);
  expect(await post(good, '198.51.100.1')).toBe(200);
  const before = victim.fetches;
  const elsewhere = other.fetches;
  const { proofOfPossession, publicKey } = orderBody({ token: mould })['publicKeyRequest'] as Record<
    string,
    unknown
  >;
  const bodyOf = (token: string) =>
    JSON.stringify({
      credentials: { oidcIdentityToken: token },
      publicKeyRequest: { publicKey, proofOfPossession },
    });

  const tally = new Map<string, number>();
  const count = (kind: string, status: number) =>
    tally.set(`${kind} ${status}`, (tally.get(`${kind} ${status}`) ?? 0) + 1);
  let next = 0;
  const flood = Array.from({ length: CLIENTS - 2 }, async () => {
    for (let n = next++; n < BAD; n = next++)
      count('bad', await post(bodyOf(forge(n, mould)), `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`));
  });
  const served = (async () => {
    while (next < BAD) count('good', await post(good, '198.51.100.1'));
  })();
  await Promise.all([...flood, served]);

  expect(tally.get('bad 400')).toBe(BAD);
  expect([...tally.keys()].sort()).toEqual(['bad 400', 'good 200']);
  expect(victim.fetches - before).toBeLessThanOrEqual(2);
  expect(other.fetches).toBe(elsewhere);
});

it('as many from one address make none, and its own good tokens are served', async () => {
  const mould = await victim.sign();
  const before = victim.fetches;
  const { proofOfPossession, publicKey } = orderBody({ token: mould })['publicKeyRequest'] as Record<
    string,
    unknown
  >;
  const statuses = new Set<number>();
  await Promise.all(
    Array.from({ length: 1000 }, async (_, n) => {
      const body = {
        credentials: { oidcIdentityToken: forge(BAD + n, mould) },
        publicKeyRequest: { publicKey, proofOfPossession },
      };
      statuses.add(await post(JSON.stringify(body), '192.0.2.1'));
    }),
  );
  expect([...statuses].every((status) => status === 400 || status === 429)).toBe(true);
  expect(victim.fetches).toBe(before);
  expect(await post(JSON.stringify(orderBody({ token: mould })), '192.0.2.1')).toBe(200);
});
