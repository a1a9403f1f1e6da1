import { createHmac } from 'node:crypto';
import { CompactSign, exportSPKI } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { instantOf, systemClock } from '../../../src/clock.ts';
import { NodeFetcher } from '../../../src/node/system/fetcher.ts';
import { Problem } from '../../../src/problem.ts';
import { signatureAlgorithms } from '../../../src/token/algorithm.ts';
import { type Issuer, IssuerDirectory } from '../../../src/token/issuer.ts';
import { IssuerKeys } from '../../../src/token/issuer-keys.ts';
import { authenticate, VerifiedToken } from '../../../src/token/verified-token.ts';
import { type FakeIssuer, newSigningKey, startIssuer } from '../../fakes/issuer.ts';

const now = systemClock.now();
const seconds = Math.floor(now / 1000);
const keysets = new IssuerKeys({ fetcher: new NodeFetcher(), clock: systemClock });
let issuer: FakeIssuer;

function entry(overrides: Partial<Issuer> = {}): Issuer {
  return { name: 'test', url: issuer.url, wildcard: false, audiences: ['sigstore'], ...overrides };
}

function check(token: string, ...entries: Issuer[]): Promise<VerifiedToken> {
  return authenticate(token, new IssuerDirectory(entries.length ? entries : [entry()]), keysets, now);
}

async function refusal(token: string, ...entries: Issuer[]): Promise<Problem> {
  const error = await check(token, ...entries).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Problem) return error;
  throw new Error(`no Problem but ${error}`);
}

function segment(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

beforeAll(async () => {
  issuer = await startIssuer({ algorithms: ['none', 'HS256', ...signatureAlgorithms] });
});
afterAll(() => issuer.close());

describe('a good token', () => {
  it.each([...signatureAlgorithms])('signed with %s is verified', async (alg) => {
    const alone = await issuer.sibling(`/${alg}`, { alg });
    const token = await alone.sign({ sub: 'me' });
    const verified = await check(token, entry({ url: alone.url }));
    expect(verified).toBeInstanceOf(VerifiedToken);
    expect(verified.claims.get('sub')).toBe('me');
    expect(verified.iss).toBe(alone.url);
  });

  it('carries the configured entry, its audience and its expiry', async () => {
    const wanted = entry({ audiences: ['other', 'sigstore'] });
    const token = await issuer.sign({ exp: seconds + 60.5, aud: ['x', 'sigstore'] });
    const verified = await check(token, wanted);
    expect(verified.issuer).toBe(wanted);
    expect(verified.audience).toBe('sigstore');
    expect(verified.expiresAt).toBe((seconds + 60.5) * 1000);
    expect(verified.signed).toBe(token.slice(0, token.lastIndexOf('.')));
  });

  it('has claims that are data only', async () => {
    const raw = JSON.stringify({ iss: issuer.url, aud: 'sigstore', exp: seconds + 60 }).replace(
      '{',
      '{"__proto__":{"sub":"x"},"nested":{"a":[1,null,true]},',
    );
    const [key] = issuer.keys;
    if (!key) throw new Error('no key');
    const token = await new CompactSign(Buffer.from(raw))
      .setProtectedHeader({ alg: key.alg, kid: key.kid })
      .sign(key.privateKey);
    const { claims } = await check(token);
    expect(claims.get('constructor')).toBeUndefined();
    expect(claims.get('sub')).toBeUndefined();
    expect(claims.get('nested')).toEqual({ a: [1, null, true] });
  });

  it.each([
    ['nbf within the leeway', { nbf: seconds + 299 }],
    ['iat in the future', { iat: seconds + 100_000 }],
    ['no sub', { sub: undefined }],
    ['no nbf and no iat', { nbf: undefined, iat: undefined }],
  ])('may have %s', async (_, claims) => {
    await expect(check(await issuer.sign(claims))).resolves.toBeDefined();
  });

  it.each(['at+jwt', 'JOSE', 'application/jwt', '', 5, null, undefined])('may have typ %j', async (typ) => {
    const token = await issuer.sign({}, { header: { typ } });
    await expect(check(token)).resolves.toBeDefined();
  });

  it.each([undefined, ''])('may have kid %j: every key that fits is tried', async (kid) => {
    const many = await issuer.sibling(`/many-${kid}`, { alg: 'RS256' });
    await many.addKey('ES256');
    await many.addKey('RS256');
    await many.addKey('RS256');
    for (const key of many.keys.filter(({ alg }) => alg === 'RS256'))
      await expect(
        check(await many.sign({}, { key, header: { kid } }), entry({ url: many.url })),
      ).resolves.toBeDefined();
  });

  it('is verified by the right one of two keys with the same kid', async () => {
    const twins = await issuer.sibling('/twins');
    await twins.addKey('ES256', 'same');
    await twins.addKey('ES256', 'same');
    for (const key of twins.keys.slice(1))
      await expect(check(await twins.sign({}, { key }), entry({ url: twins.url }))).resolves.toBeDefined();
  });

  it('may end in a newline, as a file with it does', async () => {
    await expect(check(`${await issuer.sign()}\n`)).resolves.toBeDefined();
  });

  it('goes to the entry with its audience, the first where it has several', async () => {
    const ci = entry({ name: 'ci', audiences: ['ci'] });
    const people = entry({ name: 'people', audiences: ['people'] });
    const sign = (aud: unknown) => issuer.sign({ aud });
    expect((await check(await sign('people'), ci, people)).issuer).toBe(people);
    expect((await check(await sign(['ci']), ci, people)).issuer).toBe(ci);
    expect((await check(await sign(['people', 'ci']), ci, people)).issuer).toBe(ci);
  });

  it('may come from an issuer that a pattern matches', async () => {
    const tenant = await issuer.sibling('/tenant/one');
    const pattern = entry({ url: `${issuer.url}/tenant/*`, wildcard: true });
    const verified = await check(await tenant.sign(), pattern);
    expect(verified.iss).toBe(tenant.url);
    expect(verified.issuer).toBe(pattern);
  });

  it('may come from an issuer whose URL ends in a slash', async () => {
    const slash = await issuer.sibling('/slash/');
    await expect(check(await slash.sign(), entry({ url: slash.url }))).resolves.toBeDefined();
  });
});

describe('a token is refused', () => {
  it.each([
    ['nothing', '', 'token_missing'],
    ['17 KiB', `a.${'b'.repeat(17 * 1024)}.c`, 'token_too_large'],
    ['one segment', 'abc', 'token_malformed'],
    ['two segments', 'a.b', 'token_malformed'],
    ['four segments', 'a.b.c.d', 'token_malformed'],
    ['sixteen thousand dots', '.'.repeat(16_000), 'token_malformed'],
    ['an empty header', '.e30.AA', 'token_malformed'],
    ['characters outside base64url', 'e3+.e30.AA', 'token_malformed'],
    ['padding', 'e30=.e30.AA', 'token_malformed'],
    ['a header that is not JSON', `${segment('{')}.e30.AA`, 'token_malformed'],
    ['a header that is an array', `${segment('[]')}.e30.AA`, 'token_malformed'],
    ['a header that is null', `${segment('null')}.e30.AA`, 'token_malformed'],
    [
      'a header that is not UTF-8',
      `${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.e30.AA`,
      'token_malformed',
    ],
    ['a header of impossible length', 'e30AA.e30.AA', 'token_malformed'],
    ['a header of 9 KiB', `${segment({ alg: 'RS256', x: 'x'.repeat(9000) })}.e30.AA`, 'token_malformed'],
    ['no alg', 'e30.e30.AA', 'signature_invalid'],
    ['alg none', `${segment({ alg: 'none' })}.e30.AA`, 'signature_invalid'],
    ['alg None', `${segment({ alg: 'None' })}.e30.AA`, 'signature_invalid'],
    ['an alg that is not text', `${segment({ alg: ['RS256'] })}.e30.AA`, 'signature_invalid'],
    ['alg on the prototype', `${segment('{"__proto__":{"alg":"RS256"}}')}.e30.AA`, 'signature_invalid'],
    ['alg ES256K', `${segment({ alg: 'ES256K' })}.e30.AA`, 'signature_invalid'],
    ['alg ML-DSA-44', `${segment({ alg: 'ML-DSA-44' })}.e30.AA`, 'signature_invalid'],
    ['a payload that is not JSON', `${segment({ alg: 'RS256' })}.${segment('x')}.AA`, 'token_malformed'],
    ['a payload that is a string', `${segment({ alg: 'RS256' })}.${segment('"x"')}.AA`, 'token_malformed'],
    ['an empty payload', `${segment({ alg: 'RS256' })}..AA`, 'token_malformed'],
    ['no iss', `${segment({ alg: 'RS256' })}.e30.AA`, 'claim_missing'],
    ['an iss that is not text', `${segment({ alg: 'RS256' })}.${segment({ iss: {} })}.AA`, 'claim_invalid'],
    [
      'an iss of 3 KiB',
      `${segment({ alg: 'RS256' })}.${segment({ iss: 'x'.repeat(3000) })}.AA`,
      'claim_invalid',
    ],
    ['an unknown iss', `${segment({ alg: 'RS256' })}.${segment({ iss: 'https://x' })}.AA`, 'issuer_unknown'],
    ['a kid that is not text', `${segment({ alg: 'RS256', kid: 5 })}.e30.AA`, 'token_malformed'],
    ['a kid of 2 KiB', `${segment({ alg: 'RS256', kid: 'k'.repeat(2048) })}.e30.AA`, 'token_malformed'],
    ['unknown crit', `${segment({ alg: 'RS256', crit: ['x'], x: 1 })}.e30.AA`, 'token_malformed'],
    [
      'an unencoded payload',
      `${segment({ alg: 'RS256', crit: ['b64'], b64: false })}.e30.AA`,
      'token_malformed',
    ],
    ['an empty crit', `${segment({ alg: 'RS256', crit: [] })}.e30.AA`, 'token_malformed'],
    [
      'claims 1000 deep',
      `${segment({ alg: 'RS256' })}.${segment(`{"a":${'['.repeat(1000)}${']'.repeat(1000)}}`)}.AA`,
      'token_malformed',
    ],
    ['a general JWS JSON serialisation', '{"payload":"e30","signatures":[]}', 'token_malformed'],
  ])('with %s', async (_, token, code) => {
    const problem = await refusal(token);
    expect(problem.code).toBe(code);
    expect(problem.field).toBeDefined();
    expect(problem.hint).toBeDefined();
    expect(problem.message).toBe('There was an error processing the identity token');
    expect(problem.status).toBe(400);
  });

  it.each([
    ['expired long ago', { exp: 1 }, 'token_expired', 'exp'],
    ['expired this instant', { exp: now / 1000 }, 'token_expired', 'exp'],
    ['expired within the leeway of nbf', { exp: seconds - 10 }, 'token_expired', 'exp'],
    ['no exp', { exp: undefined }, 'claim_missing', 'exp'],
    ['exp as text', { exp: `${seconds + 600}` }, 'claim_invalid', 'exp'],
    ['exp null', { exp: null }, 'claim_invalid', 'exp'],
    ['negative exp', { exp: -1 }, 'claim_invalid', 'exp'],
    ['exp in milliseconds', { exp: now + 600_000 }, 'claim_invalid', 'exp'],
    ['nbf beyond the leeway', { nbf: seconds + 302 }, 'token_not_yet_valid', 'nbf'],
    ['nbf as text', { nbf: '1' }, 'claim_invalid', 'nbf'],
    ['iat as an object', { iat: {} }, 'claim_invalid', 'iat'],
    ['no aud', { aud: undefined }, 'claim_missing', 'aud'],
    ['another aud', { aud: 'sigstor' }, 'audience_mismatch', 'aud'],
    ['aud in other case', { aud: 'Sigstore' }, 'audience_mismatch', 'aud'],
    ['aud as a list in text', { aud: 'x sigstore' }, 'audience_mismatch', 'aud'],
    ['an empty list of aud', { aud: [] }, 'audience_mismatch', 'aud'],
    ['aud as an object', { aud: { 0: 'sigstore' } }, 'claim_invalid', 'aud'],
    ['aud with a number', { aud: ['sigstore', 5] }, 'claim_invalid', 'aud'],
    ['nested aud', { aud: [['sigstore']] }, 'claim_invalid', 'aud'],
    ['sub as a number', { sub: 5 }, 'claim_invalid', 'sub'],
    ['sub null', { sub: null }, 'claim_invalid', 'sub'],
  ])('with %s, before anything is fetched', async (_, claims, code, field) => {
    const before = issuer.fetches;
    const stranger = await newSigningKey('ES256');
    const problem = await refusal(await signWhatever({ ...standard(), ...claims }, stranger));
    expect({ code: problem.code, field: problem.field }).toEqual({ code, field });
    expect(issuer.fetches).toBe(before);
  });

  it('with exp at infinity, which JSON can spell', async () => {
    const payload = segment(JSON.stringify({ ...standard(), exp: 0 }).replace('"exp":0', '"exp":1e999'));
    expect((await refusal(`${segment({ alg: 'ES256' })}.${payload}.AA`)).code).toBe('claim_invalid');
  });

  it.each(['logout+jwt', 'LOGOUT+JWT', 'application/secevent+jwt', 'secevent+jwt'])(
    'with typ %s',
    async (typ) => {
      const token = await issuer.sign({}, { header: { typ } });
      const problem = await refusal(token);
      expect({ code: problem.code, field: problem.field }).toEqual({ code: 'token_type', field: 'typ' });
    },
  );

  it('when it is older than its issuer allows', async () => {
    const strict = entry({ maxTokenAge: 60 });
    const at = (iat: unknown) => issuer.sign({ iat });
    await expect(check(await at(seconds - 59), strict)).resolves.toBeDefined();
    expect((await refusal(await at(seconds - 62), strict)).code).toBe('token_too_old');
    expect((await refusal(await at(seconds + 302), strict)).code).toBe('token_not_yet_valid');
    expect((await refusal(await at(undefined), strict)).code).toBe('claim_missing');
  });

  it('when another key signed it, or the signature was changed', async () => {
    const stranger = await newSigningKey('ES256');
    const forged = await issuer.sign({}, { key: { ...stranger, kid: issuer.keys[0]?.kid ?? '' } });
    expect((await refusal(forged)).code).toBe('signature_invalid');
    const good = await issuer.sign({});
    const at = good.lastIndexOf('.') + 5;
    const changed = `${good.slice(0, at)}${good[at] === 'A' ? 'B' : 'A'}${good.slice(at + 1)}`;
    expect((await refusal(changed)).code).toBe('signature_invalid');
    expect((await refusal(`${good.slice(0, good.lastIndexOf('.'))}.`)).code).toBe('signature_invalid');
  });

  it('when its payload was changed under a good signature', async () => {
    const good = await issuer.sign({ sub: 'me' });
    const [header, , signature] = good.split('.');
    const evil = segment({ ...standard(), sub: 'you' });
    expect((await refusal(`${header}.${evil}.${signature}`)).code).toBe('signature_invalid');
  });

  it('when a published RSA key was used as the secret of a MAC', async () => {
    const rsa = await issuer.sibling('/confused', { alg: 'RS256', algorithms: ['RS256', 'HS256'] });
    await check(await rsa.sign(), entry({ url: rsa.url }));
    const [jwk] = rsa.published;
    const { importJWK } = await import('jose');
    const key = await importJWK(jwk as object, 'RS256', { extractable: true });
    if (key instanceof Uint8Array) throw new Error('not a public key');
    const pem = await exportSPKI(key);
    for (const secret of [pem, pem.trim(), JSON.stringify(jwk)]) {
      const input = `${segment({ alg: 'HS256', kid: rsa.keys[0]?.kid })}.${segment({ ...standard(), iss: rsa.url })}`;
      const mac = createHmac('sha256', secret).update(input).digest('base64url');
      expect((await refusal(`${input}.${mac}`, entry({ url: rsa.url }))).code).toBe('signature_invalid');
    }
  });

  it('when its algorithm is not among those the issuer announces', async () => {
    const rsOnly = await issuer.sibling('/rs-only', { alg: 'RS256', algorithms: ['RS256'] });
    const key = await rsOnly.addKey('ES256');
    const problem = await refusal(await rsOnly.sign({}, { key }), entry({ url: rsOnly.url }));
    expect(problem.code).toBe('signature_invalid');
    expect(problem.field).toBe('alg');
    expect(problem.hint).toContain('RS256');
  });

  it.each([null, [], ['HS256']])(
    'when the issuer announces %j and it is not signed with RS256',
    async (algorithms) => {
      const silent = await issuer.sibling(`/silent-${algorithms}`, { alg: 'RS256', algorithms });
      const key = await silent.addKey('ES256');
      const only = entry({ url: silent.url });
      await expect(check(await silent.sign({}, { key: silent.keys[0] }), only)).resolves.toBeDefined();
      expect((await refusal(await silent.sign({}, { key }), only)).code).toBe('signature_invalid');
    },
  );

  it('when its kid is unknown', async () => {
    const problem = await refusal(await issuer.sign({}, { header: { kid: 'nobody' } }));
    expect({ code: problem.code, field: problem.field }).toEqual({ code: 'key_id_unknown', field: 'kid' });
  });

  it('and nothing of it is repeated', async () => {
    const secret = 'zebra-crossing';
    const tokens = [
      await issuer.sign({ sub: secret, aud: secret }),
      await issuer.sign({ iss: `https://${secret}` }),
      await issuer.sign({ exp: secret }),
      await issuer.sign({ [secret]: secret }, { header: { kid: secret } }),
      `${segment({ alg: secret })}.e30.AA`,
      `${segment(secret)}.e30.AA`,
    ];
    for (const token of tokens) {
      const { message, hint, field, metadata, cause } = await refusal(token);
      const cut = cause instanceof Error ? cause.message : cause;
      expect(JSON.stringify({ message, hint, field, metadata, cut })).not.toContain(secret);
    }
  });

  it('with the final slash named when only that differs', async () => {
    const problem = await refusal(await issuer.sign({ iss: `${issuer.url}/` }));
    expect(problem.code).toBe('issuer_unknown');
    expect(problem.hint).toContain('final slash');
  });
});

it('cannot be made by hand', () => {
  // @ts-expect-error the constructor is private
  const make = () => new VerifiedToken({});
  expect(make).toBeTypeOf('function');
  // @ts-expect-error a literal lacks the private field
  const forged: VerifiedToken = {
    issuer: entry(),
    iss: '',
    claims: new Map(),
    expiresAt: instantOf(0),
    audience: '',
    signed: '',
  };
  expect(forged).not.toBeInstanceOf(VerifiedToken);
});

function standard() {
  return { iss: issuer.url, sub: 'me', aud: 'sigstore', exp: seconds + 600 };
}

function signWhatever(claims: Record<string, unknown>, key: Awaited<ReturnType<typeof newSigningKey>>) {
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: key.alg, kid: key.kid })
    .sign(key.privateKey);
}
