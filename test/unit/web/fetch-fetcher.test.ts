import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { fromUtf8 } from '../../../src/encoding/bytes.ts';
import { FetchError, type FetchOptions } from '../../../src/token/fetcher.ts';
import { IssuerDirectory } from '../../../src/token/issuer.ts';
import { IssuerKeys } from '../../../src/token/issuer-keys.ts';
import { authenticate } from '../../../src/token/verified-token.ts';
import { FetchFetcher } from '../../../src/web/fetch-fetcher.ts';
import { type Behaviour, type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';

const limits: FetchOptions = { timeoutMs: 5_000, maxBytes: 10_000, addresses: 'any' };
const fetcher = new FetchFetcher();
let issuer: FakeIssuer;
beforeEach(async () => {
  issuer = await startIssuer();
});
afterEach(() => issuer.close());

async function failure(url: string, options: Partial<FetchOptions> = {}): Promise<string> {
  const error = await fetcher.get(url, { ...limits, ...options }).then(
    () => 'no error',
    (thrown: unknown) => thrown,
  );
  if (error instanceof FetchError) return error.code;
  throw new Error(`no FetchError but ${error}`);
}

it('brings the keys that verify a token', async () => {
  const keysets = new IssuerKeys({ fetcher, clock: systemClock });
  const issuers = new IssuerDirectory([
    { name: 'idp', url: issuer.url, wildcard: false, audiences: ['sigstore'] },
  ]);
  const verified = await authenticate(await issuer.sign(), issuers, keysets, systemClock.now());
  expect(verified.iss).toBe(issuer.url);
});

it('answers with status and body, and sends a bearer', async () => {
  issuer.jwks = { body: 'text' };
  const { status, body } = await fetcher.get(issuer.jwksUri, { ...limits, bearer: 'b' });
  expect([status, fromUtf8(body)]).toEqual([200, 'text']);
  expect(issuer.authorizations).toEqual(['Bearer b']);
  expect((await fetcher.get(`${issuer.url}/none`, limits)).status).toBe(404);
});

it.each<[string, Behaviour]>([
  ['connection_failed', 'down'],
  ['timed_out', 'hang'],
  ['timed_out', 'drip'],
  ['too_large', 'huge'],
  ['redirect_refused', { redirect: 'https://evil.test/' }],
  ['redirect_refused', { redirect: 'http://169.254.169.254/' }],
  ['redirect_refused', { redirect: '/jwks' }],
])('fails with %s where the issuer does %j', async (code, behaviour) => {
  issuer.jwks = behaviour;
  expect(await failure(issuer.jwksUri, { timeoutMs: 200 })).toBe(code);
});

it('follows a redirect on the same host', async () => {
  issuer.discovery = { redirect: '/jwks' };
  const { status } = await fetcher.get(`${issuer.url}/.well-known/openid-configuration`, limits);
  expect(status).toBe(200);
  expect(issuer.hits).toEqual({ discovery: 1, jwks: 1 });
});

it('keeps the address rules as far as it sees addresses, and cannot take a private CA', async () => {
  expect(await failure(issuer.jwksUri, { addresses: 'public' })).toBe('address_refused');
  expect(await failure('http://169.254.169.254/')).toBe('address_refused');
  expect(await failure('http://[::ffff:a9fe:a9fe]/')).toBe('address_refused');
  expect(await failure('file:///etc/passwd')).toBe('invalid_url');
  expect(await failure(issuer.jwksUri, { caCert: 'PEM' })).toBe('unsupported');
  expect(issuer.fetches).toBe(0);
});
