// Settings: what the configuration changes about the answers: permitted algorithms, limits, and how much errors tell.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { send } from '../fakes/client.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { issuedBy, request } from '../fakes/signing-client.ts';
import { signingRequest } from '../fakes/signing-request.ts';
import { ACCEPTED, type Kind } from '../vectors/key-pairs.ts';
import { KINDS } from './kinds.ts';
import { type ErrorBody, expectRefusal, type Start, type Started, TOKEN, UNPROVEN } from './world.ts';

export function settings(start: Start): void {
  describe('settings', () => {
    let people: FakeIssuer;
    let instance: Started | undefined;

    beforeAll(async () => {
      people = await startIssuer();
    });
    afterAll(() => people.close());
    afterEach(async () => {
      await instance?.close();
      instance = undefined;
    });

    const configured = async (keys: object): Promise<string> => {
      const issuer = { 'issuer-url': people.url, audiences: ['sigstore'], type: 'email' };
      instance = await start(stringify({ ...keys, issuers: [issuer] }));
      return instance.url;
    };
    const tokenOf = (email: string): Promise<string> => people.sign({ email, email_verified: true });

    test.each<[string, Kind, string]>([
      ['ecdsa-sha2-384-nistp384', 'P-384', '*ecdsa.PublicKey, SHA-256'],
      ['rsa-sign-pkcs1-3072-sha256', 'RSA-3072', '*ecdsa.PublicKey, SHA-256'],
      ['rsa-sign-pss-2048-sha256', 'RSA-2048', '*ecdsa.PublicKey, SHA-256'],
      ['ed25519', 'Ed25519', '*ecdsa.PublicKey, SHA-256'],
      ['ecdsa-sha2-256-nistp256', 'P-256', 'ed25519.PublicKey, unknown hash value 0'],
    ])('%s permits %s alone', async (name, permitted, refusal) => {
      const url = await configured({ 'client-signing-algorithms': [name], log: 'none' });
      const token = await tokenOf('dana@example.org');
      const refused = permitted === 'P-256' ? 'Ed25519' : 'P-256';
      for (const [key] of ACCEPTED.filter(([kind]) => !kind.startsWith('RSA') || kind === permitted)) {
        const expected = key === permitted ? 200 : 400;
        expect((await request(url, { token, key })).status, key).toBe(expected);
        expect((await request(url, { token, csr: signingRequest(key) })).status, key).toBe(expected);
      }
      const message = `signing algorithm not permitted: ${refusal}`;
      expectRefusal(await request(url, { token, key: refused }), {
        message,
        reason: 'ALGORITHM_NOT_PERMITTED',
      });
      expectRefusal(await request(url, { token, key: refused, challenge: 'x' }), { message: UNPROVEN });
    });

    test('a hash that the list names for the curve is taken in a request', async () => {
      const url = await configured({ 'client-signing-algorithms': ['ecdsa-sha2-256-nistp384'], log: 'none' });
      const token = await tokenOf('dana@example.org');
      const csr = signingRequest('P-384', { algorithm: 'ecdsa-sha256' });
      expect((await request(url, { token, csr })).status).toBe(200);
    });

    const limits = (rates: object) => ({ 'rate-limits': { defaults: rates }, log: 'none' });
    const two = { burst: 2, count: 1, period: '1h' };

    test('an identity that has used its certificates up is told when to come back', async () => {
      const url = await configured(limits({ 'certificates-per-identity': two }));
      const token = await tokenOf('dana@example.org');
      for (const _ of [1, 2]) expect((await request(url, { token })).status).toBe(200);
      for (const api of ['v2', 'v1'] as const) {
        const answer = await request(url, { token, api });
        const body = expectRefusal(answer, {
          status: 429,
          code: 8,
          message: /certificates-per-identity/,
          reason: 'RATE_LIMITED',
        });
        const seconds = Number(answer.headers['retry-after']);
        expect(Number.isInteger(seconds)).toBe(true);
        expect(seconds).toBeGreaterThan(3500);
        expect(seconds).toBeLessThan(3800);
        expect(body.details[0]?.metadata).toMatchObject({ limit: 'certificates-per-identity', burst: '2' });
      }
      expect((await request(url, { token: await tokenOf('erin@example.org') })).status).toBe(200);
      expect((await request(url, { token: await tokenOf('dana@example.org') })).status).toBe(429);
    });

    test('bad proofs spend no certificates', async () => {
      const url = await configured(limits({ 'certificates-per-identity': two }));
      const token = await tokenOf('dana@example.org');
      for (const _ of [1, 2, 3])
        expectRefusal(await request(url, { token, challenge: 'x' }), { message: UNPROVEN });
      expect((await request(url, { token })).status).toBe(200);
    });

    test('an identity that fails to prove its keys again and again is not listened to for a while', async () => {
      const url = await configured(limits({ 'failed-proofs-per-identity': two }));
      const token = await tokenOf('dana@example.org');
      for (const _ of [1, 2])
        expectRefusal(await request(url, { token, challenge: 'x' }), { message: UNPROVEN });
      const answer = await request(url, { token });
      expectRefusal(answer, {
        status: 429,
        code: 8,
        message: /failed-proofs-per-identity/,
        reason: 'RATE_LIMITED',
      });
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      expect((await request(url, { token: await tokenOf('erin@example.org') })).status).toBe(200);
    });

    test('without limits nobody is', async () => {
      const url = await configured({ 'rate-limits': 'off', log: 'none' });
      const token = await tokenOf('dana@example.org');
      const answers = await Promise.all(Array.from({ length: 150 }, () => request(url, { token })));
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    });

    test('terse errors are those of Fulcio and no more', async () => {
      const url = await configured({ errors: 'terse', ...limits({ 'certificates-per-identity': two }) });
      const good = await tokenOf('dana@example.org');
      for (const token of [
        'x',
        await people.sign({ email: 'x' }),
        await people.sign({}, { expiresIn: -5 }),
      ]) {
        const { json } = await request(url, { token, challenge: 'x' });
        expect(json).toEqual({ code: 3, message: TOKEN, details: [] });
      }
      const { json } = await request(url, { token: good, challenge: 'x' });
      expect(json).toEqual({ code: 3, message: UNPROVEN, details: [] });
      for (const _ of [1, 2]) await request(url, { token: good });
      const limited = await request(url, { token: good });
      expect([limited.status, (limited.json as ErrorBody).details]).toEqual([429, []]);
      expect(limited.headers['retry-after']).toMatch(/^\d+$/);
    });

    test('a token that is for one certificate is taken once', async () => {
      const issuer = { 'issuer-url': people.url, audiences: ['sigstore'], type: 'email', replay: 'once' };
      instance = await start(stringify({ log: 'none', issuers: [issuer] }));
      const token = await tokenOf('dana@example.org');
      expectRefusal(await request(instance.url, { token, challenge: 'x' }), { message: UNPROVEN });
      expect((await request(instance.url, { token })).status).toBe(200);
      expectRefusal(await request(instance.url, { token }), { message: TOKEN, reason: 'TOKEN_REPLAYED' });
    });

    test('a token that is for one key is taken for no other', async () => {
      const issuer = { 'issuer-url': people.url, audiences: ['sigstore'], type: 'email', replay: 'same-key' };
      instance = await start(stringify({ log: 'none', 'rate-limits': 'off', issuers: [issuer] }));
      const { url } = instance;
      const token = await tokenOf('dana@example.org');
      expectRefusal(await request(url, { token, key: 'P-384', challenge: 'x' }), { message: UNPROVEN });
      for (const _ of [1, 2]) expect((await request(url, { token })).status).toBe(200);
      const other = await request(url, { token, key: 'P-384' });
      expectRefusal(other, { message: TOKEN, reason: 'TOKEN_REPLAYED' });
      expect((await request(url, { token, csr: signingRequest('P-256') })).status).toBe(200);
    });

    test.each(['owner', 'issuer'])('the certificates of an %s are counted together', async (whose) => {
      const rates = { [`certificates-per-${whose}`]: two };
      const entry = { 'issuer-url': people.url, audiences: ['sigstore'], type: 'github' };
      instance = await start(stringify({ ...limits(rates), issuers: [entry] }));
      const { url } = instance;
      const claims = KINDS.find(({ title }) => title === 'github on a host of its own')?.claims;
      const statusOf = async (repository: string, owner: string): Promise<number> => {
        const token = await people.sign({ ...claims, repository_id: repository, repository_owner_id: owner });
        return (await request(url, { token })).status;
      };
      expect([await statusOf('1', '10'), await statusOf('2', '10'), await statusOf('3', '10')]).toEqual([
        200, 200, 429,
      ]);
      expect(await statusOf('4', '11')).toBe(whose === 'owner' ? 200 : 429);
    });

    test('a token may be too old for its issuer', async () => {
      const issuer = {
        'issuer-url': people.url,
        audiences: ['sigstore'],
        type: 'email',
        'max-token-age': '5m',
      };
      instance = await start(stringify({ log: 'none', issuers: [issuer] }));
      const now = Math.floor(Date.now() / 1000);
      const claims = { email: 'dana@example.org', email_verified: true };
      const fresh = await people.sign({ ...claims, iat: now - 200 });
      expect((await request(instance.url, { token: fresh })).status).toBe(200);
      const old = await people.sign({ ...claims, iat: now - 400 });
      expectRefusal(await request(instance.url, { token: old }), {
        message: TOKEN,
        reason: 'TOKEN_TOO_OLD',
        field: 'iat',
      });
    });

    test('entries for one issuer are told apart by the audience of the token', async () => {
      const entry = (name: string, fields: object): object => ({ name, 'issuer-url': people.url, ...fields });
      const issuers = [
        entry('people', { audiences: ['for-people'], type: 'email' }),
        entry('robots', {
          audiences: ['for-robots', 'old'],
          type: 'spiffe',
          'spiffe-trust-domain': 'mesh.example.org',
        }),
      ];
      instance = await start(stringify({ log: 'none', issuers }));
      const { url } = instance;
      const claims = { sub: 'spiffe://mesh.example.org/a', email: 'dana@example.org', email_verified: true };
      const nameFor = async (aud: unknown): Promise<string | undefined> => {
        const challenge = JSON.stringify(aud).includes('people') ? claims.email : claims.sub;
        return issuedBy(await request(url, { token: await people.sign({ ...claims, aud }), challenge })).leaf
          .names[0]?.kind;
      };
      expect(await nameFor('for-people')).toBe('email');
      expect(await nameFor('for-robots')).toBe('uri');
      expect(await nameFor(['x', 'old'])).toBe('uri');
      const refused = await request(url, { token: await people.sign({ ...claims, aud: 'sigstore' }) });
      expectRefusal(refused, { message: TOKEN, reason: 'AUDIENCE_MISMATCH', field: 'aud' });
      const { json } = await send(url, '/api/v2/configuration');
      expect((json as { issuers: { audience: string }[] }).issuers.map(({ audience }) => audience)).toEqual([
        'for-people',
        'for-robots',
      ]);
    });

    test('an empty configuration trusts nobody', async () => {
      instance = await start('');
      const { json } = await request(instance.url, { token: 'x' });
      expect(json).toMatchObject({ code: 3, message: TOKEN });
    });
  });
}
