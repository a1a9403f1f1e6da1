import { BlockList } from 'node:net';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { Problem } from '../../src/problem.ts';
import { kindOfAddress } from '../../src/token/address.ts';
import { signatureAlgorithms } from '../../src/token/algorithm.ts';
import type { Fetcher } from '../../src/token/fetcher.ts';
import { type Issuer, IssuerDirectory } from '../../src/token/issuer.ts';
import { IssuerKeys } from '../../src/token/issuer-keys.ts';
import { intersects, matchesPattern } from '../../src/token/issuer-pattern.ts';
import { authenticate, type VerifiedToken } from '../../src/token/verified-token.ts';
import { newSigningKey, type SigningKey, signToken } from '../fakes/issuer.ts';

const now = systemClock.now();
const iss = 'https://idp.test';
const unreached: Fetcher = { get: () => Promise.reject(new Error('nothing is fetched here')) };
let key: SigningKey;
let issuer: Issuer;
let good: string;

beforeAll(async () => {
  key = await newSigningKey('ES256', 'the-key');
  const jwks = { keys: [{ ...key.jwk }] };
  issuer = { name: 'idp', url: iss, wildcard: false, audiences: ['sigstore'], jwks };
  const exp = Math.floor(now / 1000) + 600;
  good = await signToken({ iss, aud: 'sigstore', sub: 'me', exp, nested: { a: [1] } }, key);
});

/** The verified token, or the Problem; anything else is thrown on. */
async function judge(token: string, fetcher = unreached, entry = issuer): Promise<VerifiedToken | Problem> {
  const keysets = new IssuerKeys({ fetcher, clock: systemClock });
  try {
    return await authenticate(token, new IssuerDirectory([entry]), keysets, now);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

const segment = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64url');

describe('whatever text comes as a token', () => {
  it('it is a Problem', () =>
    fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme', maxLength: 200 })),
        async (text) => {
          expect(await judge(text)).toBeInstanceOf(Problem);
        },
      ),
    ));

  it('it is a Problem, also in the shape of a token', () => {
    const json = fc.json({ maxDepth: 20 });
    const header = fc.record(
      {
        alg: fc.oneof(
          fc.constantFrom<unknown>(...signatureAlgorithms, 'none', 'HS256', '__proto__'),
          fc.jsonValue(),
        ),
        kid: fc.oneof(fc.constant<unknown>('the-key'), fc.jsonValue()),
        typ: fc.jsonValue(),
        crit: fc.jsonValue(),
        b64: fc.jsonValue(),
        jwk: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const claim = (right: unknown) => fc.oneof(fc.constant(right), fc.jsonValue());
    const claims = fc.record(
      {
        iss: claim(iss),
        aud: claim('sigstore'),
        exp: claim(Math.floor(now / 1000) + 60),
        nbf: claim(0),
        iat: claim(0),
        sub: claim('me'),
      },
      { requiredKeys: [] },
    );
    const part = fc.oneof(json, fc.uint8Array({ maxLength: 50 }), fc.string());
    return fc.assert(
      fc.asyncProperty(
        fc.oneof(
          header.map((h) => JSON.stringify(h)),
          part,
        ),
        fc.oneof(
          claims.map((c) => JSON.stringify(c)),
          part,
        ),
        fc.uint8Array({ maxLength: 80 }),
        async (first, second, third) => {
          const token = [first, second, third].map((bytes) => segment(bytes)).join('.');
          expect(await judge(token)).toBeInstanceOf(Problem);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('it is a Problem, also when signed by the issuer itself, or it is well formed', () =>
    fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (claims) => {
        const verdict = await judge(
          await signToken({ ...claims, iss, aud: 'sigstore', exp: now / 1000 + 60, sub: 'x' }, key).catch(
            () => '',
          ),
        );
        if (!(verdict instanceof Problem)) expect(verdict.claims.get('iss')).toBe(iss);
      }),
    ));

  it('no change of a signed token verifies, unless header and payload are the same', () => {
    const change = fc.record({
      at: fc.nat({ max: good.length - 1 }),
      remove: fc.nat({ max: 3 }),
      insert: fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('.', '=', 'A', '-', '\n')),
    });
    return fc.assert(
      fc.asyncProperty(change, async ({ at, remove, insert }) => {
        const changed = good.slice(0, at) + insert + good.slice(at + remove);
        const verdict = await judge(changed);
        if (!(verdict instanceof Problem)) expect(verdict.signed).toBe(good.slice(0, good.lastIndexOf('.')));
      }),
      { numRuns: 500 },
    );
  });
});

it('whatever an issuer serves, a token is verified or a Problem', () => {
  const url = fc.oneof(
    fc.constantFrom(`${iss}/jwks`, 'https://k.test/', 'http://idp.test/', '//x'),
    fc.webUrl(),
    fc.string(),
  );
  const discovery = fc.record(
    {
      issuer: fc.oneof(
        { weight: 5, arbitrary: fc.constant<unknown>(iss) },
        { weight: 1, arbitrary: fc.jsonValue() },
      ),
      jwks_uri: fc.oneof({ weight: 5, arbitrary: url }, { weight: 1, arbitrary: fc.jsonValue() }),
      id_token_signing_alg_values_supported: fc.oneof(fc.constant(['ES256']), fc.jsonValue()),
    },
    { requiredKeys: [] },
  );
  const jwk = fc.oneof(
    fc.constant<unknown>('the key'),
    fc.jsonValue(),
    fc.record(
      {
        kty: fc.constantFrom('RSA', 'EC', 'OKP', 'oct', 'AKP', '__proto__'),
        kid: fc.constantFrom<unknown>('the-key', 5, null),
        alg: fc.oneof(fc.constantFrom(...signatureAlgorithms), fc.jsonValue()),
        crv: fc.constantFrom<unknown>('P-256', 'Ed25519', 'x', null),
        n: fc.oneof(fc.base64String(), fc.jsonValue()),
        e: fc.constantFrom<unknown>('AQAB', '', 3),
        x: fc.oneof(fc.base64String(), fc.jsonValue()),
        y: fc.oneof(fc.base64String(), fc.jsonValue()),
      },
      { requiredKeys: [] },
    ),
  );
  const keys = fc.oneof(fc.record({ keys: fc.array(jwk) }), fc.jsonValue());
  return fc.assert(
    fc.asyncProperty(discovery, keys, fc.constantFrom(200, 200, 200, 404), async (document, set, status) => {
      const served = JSON.stringify(set).replaceAll('"the key"', JSON.stringify(key.jwk));
      const fetcher: Fetcher = {
        get: async (at) => ({
          status,
          body: utf8(at.includes('openid') ? JSON.stringify(document) : served),
        }),
      };
      const entry: Issuer = { name: 'idp', url: iss, wildcard: false, audiences: ['sigstore'] };
      const verdict = await judge(good, fetcher, entry);
      if (!(verdict instanceof Problem)) expect(served).toContain(String(key.jwk.x));
    }),
    { numRuns: 300 },
  );
});

describe('patterns', () => {
  const pattern = fc.string({ unit: fc.constantFrom('*', 'a', 'b', '.', '/'), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '/', '*'), maxLength: 12 });
  const expression = (of: string) =>
    new RegExp(`^${of.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&').replaceAll('\\*', '[-_a-zA-Z0-9]+')}$`);

  it('match as the regular expression of the same pattern does', () =>
    fc.assert(
      fc.property(pattern, text, (of, against) => {
        expect(matchesPattern(of, against)).toBe(expression(of).test(against));
      }),
      { numRuns: 20_000 },
    ));

  it('that match one text intersect', () => {
    const cuts = fc.array(fc.tuple(fc.nat(11), fc.integer({ min: 1, max: 4 })), { maxLength: 3 });
    /** A pattern for `text`: some of its runs of letters become a `*`. */
    const generalise = (text: string, places: readonly (readonly [number, number])[]) =>
      places.reduce((one, [at, length]) => {
        const run = one.slice(at, at + length);
        return /^[ab]+$/.test(run) ? `${one.slice(0, at)}*${one.slice(at + length)}` : one;
      }, text);
    return fc.assert(
      fc.property(text, cuts, cuts, (of, some, others) => {
        fc.pre(!of.includes('*'));
        const [first, second] = [generalise(of, some), generalise(of, others)];
        expect([first, second].map((one) => matchesPattern(one, of))).toEqual([true, true]);
        expect(intersects(first, second)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('that intersect match one text', () =>
    fc.assert(
      fc.property(
        fc.tuple(pattern, pattern).map((pair) => pair.map((one) => one.slice(0, 4))),
        ([first = '', second = '']) => {
          const texts = textsUpTo(6).filter(
            (one) => expression(first).test(one) && expression(second).test(one),
          );
          expect(intersects(first, second)).toBe(texts.length > 0);
        },
      ),
      { numRuns: 100 },
    ));

  it('take no time that grows out of hand', () => {
    const stars = `${'*a'.repeat(500)}!`;
    expect(matchesPattern(stars, 'a'.repeat(2_000))).toBe(false);
    expect(intersects(stars, `${'a*'.repeat(500)}?`)).toBe(false);
  });
});

/** Every text of the letters a . / up to a length; long enough for patterns of four characters. */
function textsUpTo(length: number): readonly string[] {
  if (length === 0) return [''];
  const shorter = textsUpTo(length - 1);
  const longest = shorter.filter((text) => text.length === length - 1);
  return [...shorter, ...longest.flatMap((text) => ['a', 'b', '.', '/'].map((letter) => text + letter))];
}

describe('addresses', () => {
  const special = new BlockList();
  for (const range of [
    '0.0.0.0/8',
    '10.0.0.0/8',
    '100.64.0.0/10',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '172.16.0.0/12',
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.88.99.0/24',
    '192.168.0.0/16',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '224.0.0.0/3',
    '168.63.129.16/32',
  ]) {
    const [base = '', prefix] = range.split('/');
    special.addSubnet(base, Number(prefix), 'ipv4');
  }
  const v4 = fc.oneof(
    fc.ipV4(),
    fc
      .tuple(
        fc.constantFrom(
          '9.255',
          '10.0',
          '100.63',
          '100.64',
          '100.127',
          '100.128',
          '172.15',
          '172.16',
          '172.31',
          '172.32',
          '192.0',
          '198.17',
          '198.19',
          '198.20',
          '223.255',
          '224.0',
        ),
        fc.nat(255),
        fc.nat(255),
      )
      .map(([a, b, c]) => `${a}.${b}.${c}`),
  );

  it('of IPv4 are public exactly outside the special ranges, as node:net sees them', () =>
    fc.assert(
      fc.property(v4, (address) => {
        expect(kindOfAddress(address) === 'public').toBe(!special.check(address, 'ipv4'));
      }),
      { numRuns: 5_000 },
    ));

  it('of IPv4 are no better when an IPv6 address carries them', () =>
    fc.assert(
      fc.property(v4, fc.constantFrom('::ffff:', '64:ff9b::', '::ffff:0:'), (address, prefix) => {
        expect(kindOfAddress(prefix + address)).toBe(kindOfAddress(address));
      }),
    ));

  it('of IPv6 are of one kind however they are written', () =>
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 }),
        (groups) => {
          const full = groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
          const short = new URL(`http://[${full}]/`).hostname.slice(1, -1);
          expect(kindOfAddress(short)).toBe(kindOfAddress(full));
          expect(kindOfAddress(full.toUpperCase())).toBe(kindOfAddress(full));
        },
      ),
    ));
});
