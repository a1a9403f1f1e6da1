// Signing in: both flows against a strict provider, which of them is taken, and every way they end without a token.

import { decodeJwt } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import type { ClientErrorCode } from '../../../src/client/client-error.ts';
import { type LoginOptions, logIn } from '../../../src/client/login.ts';
import { LoginProvider, type LoginProviderOptions } from '../../fakes/login-provider.ts';

const open: LoginProvider[] = [];
afterEach(() => {
  for (const provider of open.splice(0)) provider.close();
});

async function start(options?: LoginProviderOptions): Promise<LoginProvider> {
  const provider = await LoginProvider.start(options);
  open.push(provider);
  return provider;
}

/** A person who opens the URL that is told, and remembers what was told. */
function person(
  provider: LoginProvider,
  options: Partial<LoginOptions> = {},
): { readonly options: LoginOptions; readonly told: string[] } {
  const told: string[] = [];
  return {
    told,
    options: {
      oidcUrls: [provider.url],
      listings: [],
      env: {},
      attended: true,
      tell: (line) => {
        told.push(line);
        const url = /http:\S+\/authorize\S*/.exec(line)?.[0];
        if (url !== undefined) void fetch(url);
      },
      open: () => {},
      ...options,
    },
  };
}

const failure = (code: ClientErrorCode, words: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(words) });

describe('by browser', () => {
  test('gives the token of the person who opened the URL', async () => {
    const provider = await start();
    const login = await logIn(person(provider, { flow: 'browser' }).options);
    expect(login?.issuer).toBe(provider.url);
    expect(decodeJwt(login?.idToken ?? '')).toMatchObject({ email: 'person@example.com', aud: 'sigstore' });
    expect(provider.faults).toEqual([]);
  });

  test('takes the audience that the instance wants for its client id', async () => {
    const provider = await start();
    const listing = {
      issuerUrl: provider.url,
      audience: 'mayfly',
      challengeClaim: 'email',
      spiffeTrustDomain: '',
      issuerType: 'email',
      subjectDomain: '',
      skipEmailVerification: false,
    };
    const login = await logIn(person(provider, { flow: 'browser', listings: [listing] }).options);
    expect(decodeJwt(login?.idToken ?? '').aud).toBe('mayfly');
  });

  test('tells the refusal of the provider', async () => {
    const provider = await start({ refusal: 'access_denied' });
    await expect(logIn(person(provider, { flow: 'browser' }).options)).rejects.toThrow(
      failure('login_failed', /refused the sign-in: access_denied$/),
    );
  });

  test('does not take a token of another sign-in', async () => {
    const provider = await start({ claims: { nonce: 'another' } });
    await expect(logIn(person(provider, { flow: 'browser' }).options)).rejects.toThrow(
      failure('login_failed', /another sign-in/),
    );
  });

  test('is neither ended nor spoilt by others who find its port', async () => {
    const provider = await start();
    const { options } = person(provider, { flow: 'browser' });
    const login = logIn({
      ...options,
      tell: (line) => {
        const url = new URL(/http:\S+/.exec(line)?.[0] ?? '');
        const redirect = url.searchParams.get('redirect_uri') ?? '';
        void fetch(`${redirect}?code=stolen&state=guessed`)
          .then((answer) => expect(answer.status).toBe(404))
          .then(() => fetch(new URL('/', redirect)))
          .then(() => fetch(url));
      },
    });
    expect(decodeJwt((await login)?.idToken ?? '')).toMatchObject({ email: 'person@example.com' });
  });
});

describe('by device code', () => {
  test('shows where to go, and waits', async () => {
    const provider = await start({ polls: ['authorization_pending', 'authorization_pending'] });
    const { options, told } = person(provider, { flow: 'device' });
    const login = await logIn(options);
    expect(decodeJwt(login?.idToken ?? '')).toMatchObject({ email: 'person@example.com' });
    expect(told).toEqual([`Sign in at ${provider.url}/activate with the code ABCD-EFGH`]);
    expect(provider.faults).toEqual([]);
  });

  test.each(['access_denied', 'expired_token'])('ends with %s', async (error) => {
    const provider = await start({ polls: ['authorization_pending', error] });
    await expect(logIn(person(provider, { flow: 'device' }).options)).rejects.toThrow(
      failure('login_failed', new RegExp(`refused the sign-in: ${error}$`)),
    );
  });

  test('needs nobody where the provider agrees at once', async () => {
    const provider = await start({ browser: false });
    const { options, told } = person(provider, { attended: false });
    expect(await logIn(options)).toMatchObject({ issuer: provider.url });
    expect(told).toEqual([]);
  });

  test('does not wait where nobody is', async () => {
    const provider = await start({ polls: ['authorization_pending'] });
    await expect(logIn(person(provider, { attended: false }).options)).rejects.toThrow(
      failure('login_failed', /nobody is at the terminal/),
    );
  });
});

describe('which flow', () => {
  test.each([
    ['the browser where there is one', {}, { DISPLAY: ':0' }, /Sign in at http:\S+\/authorize/, 1],
    ['a code over SSH', {}, { DISPLAY: ':0', SSH_CONNECTION: 'x' }, /with the code/, 0],
    ['a code where the provider knows no browser', { browser: false }, { DISPLAY: ':0' }, /with the code/, 0],
    ['a URL where the provider knows no code', { device: false }, {}, /\/authorize/, 0],
  ] as const)('%s', async (_, offers, env, line, opens) => {
    const provider = await start({ ...offers, polls: ['authorization_pending'] });
    const opened: string[] = [];
    const { options, told } = person(provider, { env, open: (url) => opened.push(url) });
    expect(await logIn(options)).toBeDefined();
    expect(told[0]).toMatch(line);
    expect(opened).toHaveLength(opens);
  });
});

describe('a provider', () => {
  test('is not needed where the instance knows none', async () => {
    const provider = await start();
    expect(await logIn(person(provider, { oidcUrls: [] }).options)).toBeUndefined();
  });

  test('may be named', async () => {
    const [first, second] = [await start(), await start()];
    const { options } = person(first, { issuer: second.url, flow: 'device' });
    expect(await logIn(options)).toMatchObject({ issuer: second.url });
  });

  test.each([
    ['says that it is another', { issuer: 'https://example.com' }, /says that it is another issuer/],
    ['has no token endpoint', { token_endpoint: undefined }, /names no token endpoint/],
    ['takes codes over http from afar', { token_endpoint: 'http://example.com/token' }, /no https URL/],
  ])('%s', async (_, document, words) => {
    const provider = await start({ document });
    await expect(logIn(person(provider).options)).rejects.toThrow(failure('login_failed', words));
  });

  test('does not answer', async () => {
    const provider = await start();
    const { options } = person(provider);
    provider.close();
    await expect(logIn(options)).rejects.toThrow(failure('login_failed', /does not answer: ECONNREFUSED/));
  });
});
