// Issuers that are slow, huge, redirecting, lying or down: each gets a clear answer, and none harms another.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectRefusal, TOKEN } from '../contract/world.ts';
import type { Answer } from '../fakes/client.ts';
import { startInstance, type TestInstance } from '../fakes/instance.ts';
import { type Behaviour, type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { request } from '../fakes/signing-client.ts';

type Fault = (issuer: FakeIssuer) => void;

const discovery =
  (behaviour: Behaviour): Fault =>
  (issuer) => {
    issuer.discovery = behaviour;
  };
const keys =
  (behaviour: Behaviour): Fault =>
  (issuer) => {
    issuer.jwks = behaviour;
  };
const says =
  (name: string, value: unknown): Fault =>
  (issuer) => {
    issuer.document[name] = value;
  };

const FAULTS: Readonly<Record<string, Fault>> = {
  down: discovery('down'),
  hangs: discovery('hang'),
  'drips a byte at a time': discovery('drip'),
  'has no end': discovery('huge'),
  'is not there': discovery({ status: 404 }),
  'has a fault of its own': discovery({ status: 500 }),
  'redirects elsewhere': discovery({ redirect: 'http://127.0.0.2:1/' }),
  'redirects to a file': discovery({ redirect: 'file:///etc/passwd' }),
  'is no JSON': discovery({ body: '<html>' }),
  'is a list': discovery({ body: '[]' }),
  'is no UTF-8': discovery({ body: Buffer.of(0xff, 0xfe) }),
  'is nested without end': discovery({ body: '['.repeat(100_000) }),
  'names another issuer': says('issuer', 'https://other.example.org'),
  'names nobody': says('issuer', undefined),
  'has no key set': says('jwks_uri', undefined),
  'has its key set in a file': says('jwks_uri', 'file:///etc/passwd'),
  'has its key set at the metadata service': says('jwks_uri', 'http://169.254.169.254/latest'),
  'has its key set on another host in clear': says('jwks_uri', 'http://127.0.0.2:1/keys'),
  'keys are down': keys('down'),
  'keys hang': keys('hang'),
  'keys drip': keys('drip'),
  'keys have no end': keys('huge'),
  'keys are no JSON': keys({ body: 'x' }),
  'keys are no set': keys({ body: '{"keys":{}}' }),
};

let good: FakeIssuer;
const bad = new Map<string, FakeIssuer>();
let instance: TestInstance;

beforeAll(async () => {
  good = await startIssuer({ path: '/good', claims: { email: 'dana@example.org', email_verified: true } });
  for (const [name, spoil] of Object.entries(FAULTS)) {
    const issuer = await good.sibling(`/${name.replaceAll(' ', '-')}`);
    spoil(issuer);
    bad.set(name, issuer);
  }
  instance = await startInstance({
    issuers: [good, ...bad.values()].map((issuer) => ({ issuer, type: 'email' })),
    settings: { log: 'none', 'rate-limits': 'off' },
  });
});
afterAll(async () => {
  await instance.close();
  await good.close();
});

test('each is told to its own clients, within its time, while others are served', async () => {
  const answers = new Map<string, Answer>();
  const asked = [...bad].map(async ([name, issuer]) => {
    const token = await issuer.sign({ email: 'dana@example.org', email_verified: true });
    answers.set(name, await request(instance.url, { token }));
  });
  for (let served = 0; served < 20; served++) {
    const answer = await request(instance.url, { token: await good.sign() });
    expect(answer.status, answer.text).toBe(200);
  }
  expect(answers.has('hangs')).toBe(false); // its time-out is not over
  await Promise.all(asked);
  for (const [name, answer] of answers) {
    const { details } = expectRefusal(answer, { message: TOKEN, reason: 'ISSUER_UNREACHABLE', field: 'iss' });
    expect(JSON.stringify(details), name).not.toMatch(/ECONN|127\.0\.0|169\.254|passwd|undici|<html>|secret/);
  }
  expect(answers.size).toBe(bad.size);
  expect((await request(instance.url, { token: await good.sign() })).status).toBe(200);
});

test('keys that went bad do not take those away that are held', async () => {
  const token = await good.sign();
  expect((await request(instance.url, { token })).status).toBe(200);
  good.discovery = 'down';
  good.jwks = 'down';
  try {
    expect((await request(instance.url, { token: await good.sign() })).status).toBe(200);
    const stranger = await good.sign({}, { header: { kid: 'new' } });
    expectRefusal(await request(instance.url, { token: stranger }), { message: TOKEN });
    expect((await request(instance.url, { token: await good.sign() })).status).toBe(200);
  } finally {
    good.discovery = 'serve';
    good.jwks = 'serve';
  }
});

test('a thousand tokens of unknown keys cost one look at the issuer', async () => {
  const before = good.fetches;
  const token = await good.sign({}, { header: { kid: 'nobody' } });
  for (let round = 0; round < 10; round++) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => request(instance.url, { token })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400]));
  }
  expect(good.fetches - before).toBeLessThanOrEqual(1);
});
