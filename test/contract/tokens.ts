// Tokens: which are accepted of those that a trusted issuer might have signed (OpenID Connect Core section 3.1.3.7).

import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type FakeIssuer, newSigningKey, signToken } from '../fakes/issuer.ts';
import { request } from '../fakes/signing-client.ts';
import { ALGORITHMS, expectRefusal, TOKEN, type World } from './world.ts';

type Claims = Readonly<Record<string, unknown>>;

const seconds = (): number => Math.floor(Date.now() / 1000);
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function tokens(the: () => World): void {
  const people = (): FakeIssuer => the().issuer();
  /** By any algorithm the proof fits too: the request shows nothing but the token. */
  const status = async (token: string): Promise<number> => (await request(the().url, { token })).status;
  const refused = async (token: string, reason: string, field?: string): Promise<void> => {
    const challenge = 'never looked at';
    const answer = await request(the().url, { token, challenge });
    expectRefusal(answer, { message: TOKEN, reason, ...(field !== undefined && { field }) });
    expect(answer.text).not.toContain(token.split('.')[1]);
  };
  const withHeader = async (header: Claims): Promise<string> =>
    people().sign(the().person(), { key: people().keys[0], header });

  describe('a token', () => {
    test.each(ALGORITHMS)('signed with %s', async (alg) => {
      const key = people().keys.find((one) => one.alg === alg);
      expect(await status(await people().sign(the().person(), { key }))).toBe(200);
    });

    test.each<[string, Claims]>([
      ['that names no key', { kid: undefined }],
      ['of type at+jwt', { typ: 'at+jwt' }],
      ['of no type', { typ: undefined }],
      ['of any type', { typ: 'hello' }],
      ['with a jku, which is not followed', { jku: 'http://127.0.0.1:1/evil' }],
      ['with a key in its header, which is not used', { jwk: { kty: 'oct', k: 'AAAA' } }],
    ])('%s', async (_, header) => {
      expect(await status(await withHeader(header))).toBe(200);
    });

    test.each<[string, () => Claims]>([
      ['for several audiences', () => ({ aud: ['other', 'sigstore'] })],
      ['not valid for four minutes yet', () => ({ nbf: seconds() + 240 })],
      ['without nbf and iat', () => ({ nbf: undefined, iat: undefined })],
      ['issued tomorrow', () => ({ iat: seconds() + 86_400 })],
      ['issued last year', () => ({ iat: seconds() - 31_536_000, nbf: seconds() - 31_536_000 })],
      ['without a subject', () => ({ sub: undefined })],
      ['with an azp, nonce and jti of any kind', () => ({ azp: 'other', nonce: 'n', jti: ['x'] })],
      [
        'with a claim that is kept elsewhere',
        () => ({ _claim_names: { team: 'a' }, _claim_sources: { a: { endpoint: 'http://127.0.0.1:1/' } } }),
      ],
      ['with claims named like members of every object', () => ({ constructor: 'x', toString: 'y' })],
    ])('%s', async (_, claims) => {
      expect(await status(await the().token(claims()))).toBe(200);
    });

    test('of an issuer whose pattern matches', async () => {
      expect(await status(await the().issuer('meta/one').sign(the().person()))).toBe(200);
    });

    test('of an issuer with a final slash', async () => {
      expect(await status(await the().issuer('slash/').sign(the().person()))).toBe(200);
    });
  });

  describe('no token', () => {
    test.each([
      'x',
      'a.b',
      'a.b.c',
      'a.b.c.d',
      '..',
      '.'.repeat(10_000),
      '\u{1f600}.\u{1f600}.\u{1f600}',
      'e30.e30.',
    ])('%j', async (text) => {
      const answer = await request(the().url, { token: text, challenge: 'x' });
      expectRefusal(answer, { message: TOKEN });
    });

    test('in four parts', async () => refused(`${await the().token()}.x`, 'TOKEN_MALFORMED'));

    test('with padding', async () => {
      const [header, payload, signature] = (await the().token()).split('.');
      await refused(`${header}==.${payload}.${signature}`, 'TOKEN_MALFORMED');
    });

    test('of more than 16 KiB', async () => {
      await refused(await the().token({ filler: 'x'.repeat(13_000) }), 'TOKEN_TOO_LARGE');
    });

    test('claims that are no object', async () => {
      for (const claims of [[], 'x', 1, null])
        await refused(`${encode({ alg: 'ES256' })}.${encode(claims)}.AA`, 'TOKEN_MALFORMED');
    });

    test('claims nested without end', async () => {
      const deep = `${'['.repeat(4000)}${']'.repeat(4000)}`;
      const payload = Buffer.from(`{"iss":"${people().url}","x":${deep}}`).toString('base64url');
      await refused(`${encode({ alg: 'ES256' })}.${payload}.AA`, 'TOKEN_MALFORMED');
    });
  });

  describe('a signature', () => {
    test('by a key that the issuer does not publish', async () => {
      const key = await newSigningKey('RS256', people().keys[0]?.kid);
      await refused(await people().sign(the().person(), { key }), 'SIGNATURE_INVALID');
    });

    test('by a key of another name', async () => {
      await refused(await withHeader({ kid: 'nobody' }), 'KEY_ID_UNKNOWN', 'kid');
    });

    test('over other claims', async () => {
      const [header, , signature] = (await the().token()).split('.');
      const claims = { iss: people().url, aud: 'sigstore', exp: seconds() + 60, ...the().person() };
      await refused(`${header}.${encode(claims)}.${signature}`, 'SIGNATURE_INVALID');
    });

    test.each(['none', 'HS256', 'HS512', 'ES256K', 'RSA-OAEP', 'A128KW', 'constructor', ''])(
      'of no algorithm that is accepted: %j',
      async (alg) => {
        const claims = { iss: people().url, aud: 'sigstore', exp: seconds() + 60, ...the().person() };
        const input = `${encode({ alg, kid: people().keys[0]?.kid })}.${encode(claims)}`;
        const secret = JSON.stringify(people().keys[0]?.jwk);
        await refused(
          `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`,
          'SIGNATURE_INVALID',
        );
      },
    );

    test('of an algorithm that the issuer does not announce: RS256 alone without an announcement', async () => {
      const bare = the().issuer('bare');
      const [rsa, ec] = bare.keys;
      expect(await status(await bare.sign(the().person(), { key: rsa }))).toBe(200);
      await refused(await bare.sign(the().person(), { key: ec }), 'SIGNATURE_INVALID', 'alg');
    });

    test('of an RSA key of 1024 bits, though it is published', async () => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
      const kid = 'short';
      people().published.push({ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' });
      const claims = { iss: people().url, aud: 'sigstore', exp: seconds() + 60, ...the().person() };
      const input = `${encode({ alg: 'RS256', kid })}.${encode(claims)}`;
      const signature = sign('sha256', Buffer.from(input), privateKey).toString('base64url');
      await refused(`${input}.${signature}`, 'KEY_ID_UNKNOWN');
    });

    test('with a header that must be understood', async () => {
      const claims = { iss: people().url, aud: 'sigstore', exp: seconds() + 60, ...the().person() };
      await refused(
        `${encode({ alg: 'RS256', crit: ['x'], x: 1 })}.${encode(claims)}.AA`,
        'TOKEN_MALFORMED',
        'crit',
      );
    });

    test.each(['logout+jwt', 'application/secevent+jwt', 'LOGOUT+JWT'])('of type %s', async (typ) => {
      await refused(await withHeader({ typ }), 'TOKEN_TYPE');
    });
  });

  describe('claims', () => {
    test.each<[string, () => Claims, string, string]>([
      ['of another audience', () => ({ aud: 'other' }), 'AUDIENCE_MISMATCH', 'aud'],
      ['of no audience', () => ({ aud: undefined }), 'CLAIM_MISSING', 'aud'],
      ['of an empty list of audiences', () => ({ aud: [] }), 'AUDIENCE_MISMATCH', 'aud'],
      ['of an audience that is longer', () => ({ aud: 'sigstore2' }), 'AUDIENCE_MISMATCH', 'aud'],
      ['of an audience in capitals', () => ({ aud: 'SIGSTORE' }), 'AUDIENCE_MISMATCH', 'aud'],
      ['of an audience that is a number', () => ({ aud: 1 }), 'CLAIM_INVALID', 'aud'],
      ['of audiences among which is a number', () => ({ aud: ['sigstore', 1] }), 'CLAIM_INVALID', 'aud'],
      ['that expired just now', () => ({ exp: seconds() - 1 }), 'TOKEN_EXPIRED', 'exp'],
      ['that never expire', () => ({ exp: undefined }), 'CLAIM_MISSING', 'exp'],
      ['that expire in text', () => ({ exp: 'tomorrow' }), 'CLAIM_INVALID', 'exp'],
      ['that expire beyond all time', () => ({ exp: 1e300 }), 'CLAIM_INVALID', 'exp'],
      ['not valid for six minutes yet', () => ({ nbf: seconds() + 360 }), 'TOKEN_NOT_YET_VALID', 'nbf'],
      ['valid from a text', () => ({ nbf: 'now' }), 'CLAIM_INVALID', 'nbf'],
      ['that are kept nowhere', () => ({ _claim_names: { team: 'a' } }), 'CLAIM_INVALID', '_claim_names'],
      [
        'that are kept in a member of every object',
        () => ({ _claim_names: { team: 'constructor' }, _claim_sources: {} }),
        'CLAIM_INVALID',
        '_claim_names',
      ],
      ['of a subject that is a number', () => ({ sub: 7 }), 'CLAIM_INVALID', 'sub'],
    ])('%s', async (_, claims, reason, field) => {
      const key = people().keys[0];
      if (key === undefined) throw new Error('no key');
      const usual = { iss: people().url, aud: 'sigstore', exp: seconds() + 60, ...the().person() };
      const given = Object.entries({ ...usual, ...claims() }).filter(([, value]) => value !== undefined);
      const input = `${encode({ alg: 'RS256', kid: key.kid })}.${encode(Object.fromEntries(given))}`;
      const signature = Buffer.from(
        await crypto.subtle.sign('RSASSA-PKCS1-v1_5', key.privateKey, Buffer.from(input)),
      ).toString('base64url');
      await refused(`${input}.${signature}`, reason, field);
    });
  });

  describe('an issuer', () => {
    const by = (iss: unknown): Promise<string> => {
      const [key] = people().keys;
      if (key === undefined) throw new Error('no key');
      return signToken({ iss, aud: 'sigstore', exp: seconds() + 60, ...the().person() }, key);
    };

    test.each(['https://elsewhere.example', '', 'x', ' '])('that nobody trusts: %j', async (iss) => {
      await refused(await by(iss), 'ISSUER_UNKNOWN', 'iss');
    });

    test('that differs in a slash, a case or a port', async () => {
      const { url } = people();
      for (const iss of [`${url}/`, url.replace('people', 'PEOPLE'), url.replace('http', 'https'), ` ${url}`])
        await refused(await by(iss), 'ISSUER_UNKNOWN');
    });

    test('that the pattern does not match', async () => {
      await refused(await the().issuer('meta/two.three').sign(the().person()), 'ISSUER_UNKNOWN');
    });

    test('that is no text, or is missing', async () => {
      await refused(await by(7), 'CLAIM_INVALID', 'iss');
      await refused(`${encode({ alg: 'RS256' })}.${encode({ aud: 'sigstore' })}.AA`, 'CLAIM_MISSING', 'iss');
    });

    test('whose discovery document names another', async () => {
      await refused(await the().issuer('liar').sign(the().person()), 'ISSUER_UNREACHABLE');
    });

    test('whose own name has a slash that the configured one lacks', async () => {
      await refused(await the().issuer('unlisted/').sign(the().person()), 'ISSUER_UNKNOWN');
    });
  });
}
