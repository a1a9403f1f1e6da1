// Token acquisition: which of the ways to a token is taken, and that no failure tells a token.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, describe, expect, test } from 'vitest';
import { challengeOf, readIdentityToken } from '../../../src/client/identity-token.ts';
import { acquireToken, type TokenOptions } from '../../../src/client/token-acquisition.ts';
import { LoginProvider } from '../../fakes/login-provider.ts';

const folder = mkdtempSync(join(tmpdir(), 'mayfly-token-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const jwtOf = (claims: Readonly<Record<string, unknown>>): Promise<string> =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.alloc(32));
const JWT = await jwtOf({ iss: 'https://issuer.example.com', sub: 'subject' });

const acquire = async (options: Partial<TokenOptions>, oidcUrls: readonly string[] = []) => {
  const terms = { listings: [], oidcUrls };
  const key = { thumbprint: 'A'.repeat(43) };
  return (await acquireToken({ env: {}, attended: false, tell: () => {}, ...options }, terms, key)).token;
};

const refusal = (code: string, words: RegExp): unknown =>
  expect.objectContaining({ name: 'ClientError', code, message: expect.stringMatching(words) });

describe('a token', () => {
  test('is given as text, or in a file with a line end', async () => {
    const file = join(folder, 'token');
    writeFileSync(file, `${JWT}\n`);
    expect(await acquire({ given: JWT })).toMatchObject({ jwt: JWT, issuer: 'https://issuer.example.com' });
    expect(await acquire({ given: file })).toMatchObject({ jwt: JWT });
  });

  test('that is given comes before what the place offers, and that before a sign-in', async () => {
    const env = { MAYFLY_ID_TOKEN: await jwtOf({ iss: 'https://other.example.com' }) };
    expect(await acquire({ given: JWT, env })).toMatchObject({ issuer: 'https://issuer.example.com' });
    expect(await acquire({ env }, ['https://127.0.0.1:1'])).toMatchObject({
      issuer: 'https://other.example.com',
    });
  });

  test('comes from a sign-in where one is asked for, whatever the place offers', async () => {
    const provider = await LoginProvider.start();
    try {
      const token = await acquire({ flow: 'device', env: { MAYFLY_ID_TOKEN: JWT } }, [provider.url]);
      expect(token.issuer).toBe(provider.url);
      const named = await acquire({ loginIssuer: provider.url, env: { MAYFLY_ID_TOKEN: JWT } });
      expect(named.issuer).toBe(provider.url);
    } finally {
      provider.close();
    }
  });

  test('that is nowhere is missed in words that say where one could be', async () => {
    await expect(acquire({})).rejects.toThrow(
      refusal('token_unavailable', /no identity token was found: .*--identity-token.*GitHub Actions/),
    );
  });

  test('is missed in the same words where nobody is there to sign in', async () => {
    const provider = await LoginProvider.start({ polls: ['authorization_pending'] });
    try {
      await expect(acquire({}, [provider.url])).rejects.toThrow(
        refusal('token_unavailable', /no identity token was found \(.*nobody is at the terminal\)/),
      );
    } finally {
      provider.close();
    }
  });
});

describe('what is no token', () => {
  const [header, , signature] = JWT.split('.');
  test.each([
    ['a file with something else', () => join(folder, 'else'), 'token_malformed', /no identity token/],
    [
      'a file that is not there',
      () => join(folder, 'absent'),
      'token_unavailable',
      /neither a JWT nor a file/,
    ],
    [
      'a JWT whose claims are none',
      () => `${header}.secret.${signature}`,
      'token_malformed',
      /no identity token/,
    ],
  ])('%s', async (_, given, code, words) => {
    writeFileSync(join(folder, 'else'), 'secret');
    const failure = await acquire({ given: given() }).catch((error: unknown) => error);
    expect(failure).toEqual(refusal(code, words));
    expect(String(failure)).not.toContain('secret');
  });

  test('a JWT without an issuer', async () => {
    await expect(acquire({ given: await jwtOf({ sub: 'x' }) })).rejects.toThrow(
      refusal('token_malformed', /names no issuer/),
    );
  });
});

describe('proof of possession', () => {
  const ISSUER = 'https://issuer.example.com';
  const listing = (challengeClaim: string) => ({
    issuerUrl: ISSUER,
    audience: '',
    challengeClaim,
    spiffeTrustDomain: '',
    issuerType: '',
    subjectDomain: '',
    skipEmailVerification: false,
  });
  const challenge = async (claims: object, announced?: string): Promise<string> => {
    const token = readIdentityToken(await jwtOf({ iss: ISSUER, ...claims }), 'the test');
    return challengeOf(token, announced === undefined ? [] : [listing(announced)]);
  };
  const both = { sub: 'subject', email: 'a@example.com' };

  test.each([
    ['what the instance announces', both, 'sub', 'subject'],
    ['the address that it announces', both, 'email', 'a@example.com'],
    ['sub where the announced claim is missing', { sub: 'subject' }, 'email', 'subject'],
    ['the address where nothing is announced', both, undefined, 'a@example.com'],
    ['sub where there is no address', { sub: 'subject', email: '' }, undefined, 'subject'],
  ])('is over %s', async (_, claims, announced, expected) => {
    expect(await challenge(claims, announced)).toBe(expected);
  });

  test('needs one of them', async () => {
    await expect(challenge({}, 'email')).rejects.toThrow(/no claim email or sub/);
  });
});
