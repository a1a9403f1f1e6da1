import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, instantOf } from '../../../src/clock.ts';
import { NodeFetcher } from '../../../src/node/system/fetcher.ts';
import { Problem } from '../../../src/problem.ts';
import type { Fetcher } from '../../../src/token/fetcher.ts';
import { type Issuer, IssuerDirectory } from '../../../src/token/issuer.ts';
import type { IssuerFault } from '../../../src/token/issuer-fault.ts';
import { IssuerKeys, type IssuerKeysOptions } from '../../../src/token/issuer-keys.ts';
import type { KeySets } from '../../../src/token/keyset.ts';
import { authenticate } from '../../../src/token/verified-token.ts';
import { type Behaviour, type FakeIssuer, newSigningKey, startIssuer } from '../../fakes/issuer.ts';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

class TestClock implements Clock {
  #now = Date.now();
  now = () => instantOf(this.#now);
  pass(milliseconds: number): void {
    this.#now += milliseconds;
  }
}

let clock: TestClock;
let issuer: FakeIssuer;
beforeEach(async () => {
  clock = new TestClock();
  issuer = await startIssuer();
});
afterEach(() => issuer.close());

function entry(of: FakeIssuer | string = issuer, overrides: Partial<Issuer> = {}): Issuer {
  const url = typeof of === 'string' ? of : of.url;
  return { name: 'test', url, wildcard: url.includes('*'), audiences: ['sigstore'], ...overrides };
}

function keysWith(options: Partial<IssuerKeysOptions> = {}): IssuerKeys {
  return new IssuerKeys({ fetcher: new NodeFetcher(), clock, ...options });
}

/** 'ok', or the code of the Problem. */
async function outcome(token: string, keys: KeySets, ...entries: Issuer[]): Promise<string> {
  const directory = new IssuerDirectory(entries.length ? entries : [entry()]);
  const error = await authenticate(token, directory, keys, clock.now()).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) return 'ok';
  if (error instanceof Problem) return error.code;
  throw error;
}

async function hintOf(token: string, keys: KeySets, only: Issuer): Promise<string | undefined> {
  const error = await authenticate(token, new IssuerDirectory([only]), keys, clock.now()).catch(
    (thrown) => thrown,
  );
  return error instanceof Problem && error.code === 'issuer_unreachable' ? error.hint : undefined;
}

interface Misbehaviour {
  readonly discovery?: Behaviour;
  readonly jwks?: Behaviour;
  readonly document?: Readonly<Record<string, string | undefined>>;
}

const long = { expiresIn: 1_000_000 };

describe('keys', () => {
  it('are fetched once for any number of tokens, at once or one after another', async () => {
    const keys = keysWith();
    const token = await issuer.sign({}, long);
    expect(await Promise.all(Array.from({ length: 50 }, () => outcome(token, keys)))).toEqual(
      Array(50).fill('ok'),
    );
    for (let i = 0; i < 10; i += 1) expect(await outcome(token, keys)).toBe('ok');
    expect(issuer.hits).toEqual({ discovery: 1, jwks: 1 });
  });

  it('are shared by entries that differ only in audience and name, and kept across a reload', async () => {
    const keys = keysWith();
    const token = await issuer.sign({ aud: 'two' }, long);
    const [one, two] = [
      entry(issuer, { audiences: ['one'] }),
      entry(issuer, { audiences: ['two'], name: 'x' }),
    ];
    expect(await outcome(token, keys, one, two)).toBe('ok');
    const reloaded = [{ ...one }, { ...two, maxTokenAge: 5_000 }];
    keys.retain(reloaded);
    expect(await outcome(token, keys, ...reloaded)).toBe('ok');
    expect(issuer.fetches).toBe(2);
    keys.retain([]);
    expect(await outcome(token, keys, { ...one }, { ...two })).toBe('ok');
    expect(issuer.fetches).toBe(4);
  });

  it('are fetched again for an unknown kid, so that a rotation is seen', async () => {
    const keys = keysWith();
    const old = await issuer.sign({}, long);
    expect(await outcome(old, keys)).toBe('ok');
    await issuer.rotate();
    clock.pass(31 * second);
    expect(await outcome(await issuer.sign({}, long), keys)).toBe('ok');
    expect(issuer.hits).toEqual({ discovery: 1, jwks: 2 });
    expect(await outcome(old, keys)).toBe('key_id_unknown'); // and the withdrawn key is gone
  });

  it('are fetched again when none verifies: a new key under an old kid, or without one', async () => {
    const keys = keysWith();
    expect(await outcome(await issuer.sign({}, long), keys)).toBe('ok');
    await issuer.rotate('ES256', issuer.keys[0]?.kid);
    clock.pass(31 * second);
    expect(await outcome(await issuer.sign({}, long), keys)).toBe('ok');
    await issuer.rotate();
    clock.pass(31 * second);
    expect(await outcome(await issuer.sign({}, { ...long, header: { kid: undefined } }), keys)).toBe('ok');
    expect(issuer.hits).toEqual({ discovery: 1, jwks: 3 });
  });

  it.each([
    ['unknown kid', 'key_id_unknown', (of: FakeIssuer) => of.sign({}, { ...long, header: { kid: 'x' } })],
    [
      'bad signature',
      'signature_invalid',
      async (of: FakeIssuer) =>
        of.sign({}, { ...long, key: { ...(await newSigningKey('ES256')), kid: of.keys[0]?.kid ?? '' } }),
    ],
    [
      'bad signature and no kid',
      'signature_invalid',
      async (of: FakeIssuer) =>
        of.sign({}, { ...long, key: await newSigningKey('ES256'), header: { kid: undefined } }),
    ],
  ] as const)('are fetched at most twice in a cooldown for 1000 tokens with %s', async (_, code, sign) => {
    const keys = keysWith();
    const bad = await sign(issuer);
    const good = await issuer.sign({}, long);
    const burst = async () => {
      for (let i = 0; i < 5; i += 1) {
        const codes = await Promise.all(Array.from({ length: 100 }, () => outcome(bad, keys)));
        expect(new Set(codes)).toEqual(new Set([code]));
        expect(await outcome(good, keys)).toBe('ok');
      }
    };
    await burst();
    expect(issuer.fetches).toBe(2); // discovery and keys, once
    clock.pass(29 * second);
    await burst();
    expect(issuer.fetches).toBe(2);
    clock.pass(2 * second);
    await burst();
    expect(issuer.fetches).toBe(3);
  });

  it('are not fetched twice when the clock steps back a little', async () => {
    const keys = keysWith();
    const bad = await issuer.sign({}, { ...long, header: { kid: 'x' } });
    expect(await outcome(bad, keys)).toBe('key_id_unknown');
    clock.pass(-5 * second);
    expect(await outcome(bad, keys)).toBe('key_id_unknown');
    expect(issuer.fetches).toBe(2);
  });

  it('are refreshed in the background, while the old ones serve', async () => {
    const keys = keysWith();
    const token = await issuer.sign({}, long);
    expect(await outcome(token, keys)).toBe('ok');
    clock.pass(11 * minute);
    const release = issuer.hold();
    expect(await outcome(token, keys)).toBe('ok'); // although the issuer does not answer
    expect(await outcome(token, keys)).toBe('ok');
    await until(() => issuer.hits.jwks === 2);
    release();
    await until(() => keys.health([entry()])[0]?.keysFetchedAt === clock.now());
    expect(issuer.hits).toEqual({ discovery: 1, jwks: 2 });
  });

  it('of an hour ago are refreshed before they serve', async () => {
    const keys = keysWith();
    const token = await issuer.sign({}, long);
    expect(await outcome(token, keys)).toBe('ok');
    await issuer.rotate();
    clock.pass(hour);
    expect(await outcome(token, keys)).toBe('key_id_unknown');
    expect(issuer.hits).toEqual({ discovery: 2, jwks: 2 });
  });

  it('serve for a day while the issuer is down, and no longer', async () => {
    const keys = keysWith();
    const token = await issuer.sign({}, long);
    expect(await outcome(token, keys)).toBe('ok');
    issuer.discovery = 'down';
    issuer.jwks = 'down';
    clock.pass(23 * hour);
    expect(await outcome(token, keys)).toBe('ok');
    expect(keys.health([entry()])[0]?.up).toBe(false);
    clock.pass(hour);
    expect(await outcome(token, keys)).toBe('issuer_unreachable');
    issuer.discovery = 'serve';
    issuer.jwks = 'serve';
    clock.pass(minute);
    expect(await outcome(token, keys)).toBe('ok');
    expect(keys.health([entry()])[0]).toMatchObject({ name: 'test', up: true, keysFetchedAt: clock.now() });
  });

  it('that moved are found through the discovery document', async () => {
    const keys = keysWith();
    expect(await outcome(await issuer.sign({}, long), keys)).toBe('ok');
    const elsewhere = await issuer.sibling('/elsewhere');
    issuer.document['jwks_uri'] = elsewhere.jwksUri;
    issuer.jwks = { status: 410 };
    const token = await issuer.sign({}, { ...long, key: elsewhere.keys[0] });
    clock.pass(31 * second);
    expect(await outcome(token, keys)).toBe('issuer_unreachable'); // this fetch finds that they moved
    clock.pass(31 * second);
    expect(await outcome(token, keys)).toBe('ok');
    expect(issuer.hits).toEqual({ discovery: 2, jwks: 2 });
  });

  it('stay good beside malformed and unsupported ones', async () => {
    const rsa = await issuer.sibling('/odd', { alg: 'RS256' });
    const [jwk] = rsa.published as [Record<string, unknown>];
    const { kid } = jwk;
    rsa.published = [
      null,
      'text',
      [],
      {},
      { kty: 'RSA', kid },
      { kty: 'RSA', kid, n: 'AQAB', e: 'AQAB' }, // 24 bits
      { kty: 'RSA', kid, n: '!!!', e: 'AQAB' },
      { ...jwk, e: jwk['n'] }, // a long exponent is slow
      { ...jwk, alg: 'RSA-OAEP' },
      { ...jwk, alg: 'PS256' },
      { ...jwk, use: 'enc' },
      { ...jwk, d: 'AQAB' },
      { kty: 'oct', kid, k: 'AAAA' },
      { kty: 'EC', kid, crv: 'P-256', x: 'AAAA', y: 'AAAA' },
      { kty: 'EC', kid, crv: 'secp256k1', x: 'AAAA', y: 'AAAA' },
      { kty: 'OKP', kid, crv: 'Ed448', x: 'AAAA' },
      { kty: 'AKP', kid, alg: 'ML-DSA-44', pub: 'AAAA' },
      { __proto__: null, kty: 'RSA', kid: 5 },
      { ...jwk, key_ops: ['sign', 'sign'], ext: 'no', x5c: 5 },
    ];
    expect(await outcome(await rsa.sign({}, long), keysWith(), entry(rsa))).toBe('ok');
  });

  it('that are all unusable leave nothing to verify with', async () => {
    issuer.published = [{ kty: 'EC', kid: 'x', crv: 'P-256', x: 'AAAA', y: 'AAAA' }];
    expect(await outcome(await issuer.sign({}, { header: { kid: 'x' } }), keysWith())).toBe('key_id_unknown');
  });
});

describe('an issuer that misbehaves', () => {
  it.each<[string, string, Misbehaviour]>([
    ['cuts the connection', 'could not be reached', { discovery: 'down' }],
    ['hangs on discovery', 'in time', { discovery: 'hang' }],
    ['hangs on keys', 'in time', { jwks: 'hang' }],
    ['drips', 'in time', { jwks: 'drip' }],
    ['sends too much', 'larger', { discovery: 'huge' }],
    ['sends too many keys', 'larger', { jwks: 'huge' }],
    ['redirects', 'redirect', { discovery: { redirect: 'https://evil.test/' } }],
    ['redirects keys', 'redirect', { jwks: { redirect: 'http://169.254.169.254/' } }],
    ['redirects in a circle', 'redirect', { jwks: { redirect: '/jwks' } }],
    ['has no discovery', 'not there', { discovery: { status: 404 } }],
    ['fails', 'not there', { jwks: { status: 500 } }],
    ['sends no JSON', 'not what', { discovery: { body: '<html>' } }],
    ['sends null', 'not what', { discovery: { body: 'null' } }],
    ['sends a list', 'not what', { discovery: { body: '[]' } }],
    ['sends keys that are none', 'not what', { jwks: { body: '{"keys":{}}' } }],
    ['has no keys member', 'not what', { jwks: { body: '{}' } }],
    ['sends what is not UTF-8', 'not what', { jwks: { body: Uint8Array.of(0x22, 0xff, 0x22) } }],
    ['has no jwks_uri', 'not what', { document: { jwks_uri: undefined } }],
    ['lies about its name', 'another issuer', { document: { issuer: 'https://evil.test' } }],
    ['adds a slash', 'another issuer', { document: { issuer: '{url}/' } }],
    ['names no issuer', 'another issuer', { document: { issuer: undefined } }],
    ['points to a file', 'could not be reached', { document: { jwks_uri: 'file:///etc/passwd' } }],
    ['points to nowhere', 'could not be reached', { document: { jwks_uri: '/jwks' } }],
    [
      'points elsewhere without TLS',
      'could not be reached',
      { document: { jwks_uri: 'http://localhost:1/' } },
    ],
    ['points to the loopback', 'could not be reached', { document: { jwks_uri: 'https://localhost:1/' } }],
    ['points inside', 'could not be reached', { document: { jwks_uri: 'https://10.0.0.1/' } }],
    ['points to metadata', 'could not be reached', { document: { jwks_uri: 'http://169.254.169.254/' } }],
  ])(
    '%s: says so within the time-out, and harms no other issuer',
    async (_, words, { document, ...behaviour }) => {
      const keys = keysWith({ limits: { fetchTimeoutMs: 200 } });
      const other = await issuer.sibling('/other');
      Object.assign(issuer, behaviour);
      for (const [name, value] of Object.entries(document ?? {}))
        issuer.document[name] = value?.replace('{url}', issuer.url);
      const bad = hintOf(await issuer.sign(), keys, entry());
      expect(await outcome(await other.sign(), keys, entry(other))).toBe('ok');
      expect(await bad).toContain(words);
    },
  );

  it('is asked again after a pause that grows', async () => {
    const keys = keysWith();
    const token = await issuer.sign({}, long);
    issuer.discovery = 'down';
    const pauses: number[] = [];
    for (let asked = 0, last = clock.now(); pauses.length < 7; clock.pass(second)) {
      await outcome(token, keys);
      if (issuer.fetches === asked) continue;
      asked = issuer.fetches;
      pauses.push((clock.now() - last) / second);
      last = clock.now();
    }
    expect(pauses).toEqual([0, 2, 4, 8, 16, 32, 60]);
    issuer.discovery = 'serve';
    clock.pass(minute);
    expect(await outcome(token, keys)).toBe('ok');
  });

  it('is asked again soon although the clock was set back', async () => {
    const keys = keysWith();
    const token = await issuer.sign({ nbf: 0 }, long);
    issuer.discovery = 'down';
    expect(await outcome(token, keys)).toBe('issuer_unreachable');
    issuer.discovery = 'serve';
    expect(await outcome(token, keys)).toBe('issuer_unreachable');
    clock.pass(-hour);
    expect(await outcome(token, keys)).toBe('ok');
  });

  it('has one time-out for both documents together', async () => {
    const through = new NodeFetcher();
    const timeouts: number[] = [];
    const slow: Fetcher = {
      get: (url, options) => {
        timeouts.push(options.timeoutMs);
        clock.pass(3 * second);
        return through.get(url, options);
      },
    };
    expect(await outcome(await issuer.sign({}, long), keysWith({ fetcher: slow }))).toBe('ok');
    expect(timeouts).toEqual([5 * second, 2 * second]);
  });

  it('does not make tokens pile up: beyond a number they are turned away at once', async () => {
    const keys = keysWith({ limits: { maxWaiters: 3 } });
    const token = await issuer.sign();
    const release = issuer.hold();
    const waiting = Array.from({ length: 3 }, () => outcome(token, keys));
    expect(await outcome(token, keys)).toBe('issuer_unreachable');
    release();
    expect(await Promise.all(waiting)).toEqual(['ok', 'ok', 'ok']);
    expect(await outcome(token, keys)).toBe('ok');
  });

  it('is reported with its configured name', async () => {
    const seen: [string, IssuerFault | undefined][] = [];
    const keys = keysWith({ observe: ({ name }, fault) => void seen.push([name, fault]) });
    issuer.jwks = { status: 503 };
    await outcome(await issuer.sign(), keys);
    issuer.jwks = 'serve';
    clock.pass(minute);
    await outcome(await issuer.sign(), keys);
    expect(seen.map(([name, fault]) => [name, fault?.code])).toEqual([
      ['test', 'status_not_ok'],
      ['test', undefined],
    ]);
  });
});

describe('where keys come from', () => {
  it('is the configuration itself, without any fetch, for the algorithms the keys are for', async () => {
    const rsa = await issuer.sibling('/inline', { alg: 'RS256' });
    const bare = (await newSigningKey('PS256')).jwk;
    const jwks = {
      keys: [rsa.published[0] as object, { ...bare, alg: undefined }] as Record<string, unknown>[],
    };
    const inline = entry(rsa, { jwks });
    const keys = keysWith();
    expect(await outcome(await rsa.sign(), keys, inline)).toBe('ok');
    expect(await outcome(await rsa.sign({}, { header: { kid: undefined } }), keys, inline)).toBe('ok');
    expect(await outcome(await rsa.sign({}, { header: { kid: 'x' } }), keys, inline)).toBe('key_id_unknown');
    expect(await outcome(await rsa.sign({}, { key: await rsa.addKey('PS256') }), keys, inline)).toBe(
      'signature_invalid',
    );
    expect(
      await outcome(
        await rsa.sign({}, { key: await newSigningKey('RS256', rsa.keys[0]?.kid) }),
        keys,
        inline,
      ),
    ).toBe('signature_invalid');
    expect(rsa.fetches + issuer.fetches).toBe(0);
  });

  it('is the jwks-uri that the operator names, without discovery', async () => {
    const elsewhere = await startIssuer();
    issuer.discovery = 'down';
    const token = await issuer.sign({}, { key: elsewhere.keys[0] });
    expect(await outcome(token, keysWith(), entry(issuer, { jwksUri: elsewhere.jwksUri }))).toBe('ok');
    expect([issuer.fetches, elsewhere.hits.jwks]).toEqual([0, 1]);
    await elsewhere.close();
  });

  it('is, for a pattern with jwks-uri, one set for all that it matches', async () => {
    const pattern = entry('https://*.test/*', { jwksUri: issuer.jwksUri });
    const keys = keysWith();
    for (const iss of ['https://a.test/x', 'https://b.test/y', 'https://b.test/z'])
      expect(await outcome(await issuer.sign({ iss }), keys, pattern)).toBe('ok');
    expect(issuer.hits).toEqual({ discovery: 0, jwks: 1 });
  });

  it('may be another host when the operator lists it', async () => {
    const elsewhere = await startIssuer();
    issuer.document['jwks_uri'] = elsewhere.jwksUri;
    const token = await issuer.sign({}, { key: elsewhere.keys[0] });
    expect(await outcome(token, keysWith())).toBe('issuer_unreachable');
    const { host, hostname } = new URL(elsewhere.url);
    for (const jwksHosts of [[host], [hostname]])
      expect(await outcome(token, keysWith(), entry(issuer, { jwksHosts }))).toBe('ok');
    await elsewhere.close();
  });

  it('is shown a bearer and trusted by a CA as the credentials say, asked each time', async () => {
    const asked: string[] = [];
    const credentials = {
      presentTo: async (url: URL) => {
        asked.push(url.pathname);
        return { bearer: `secret ${asked.length}` };
      },
    };
    expect(await outcome(await issuer.sign(), keysWith({ credentials }))).toBe('ok');
    expect(asked).toEqual(['/.well-known/openid-configuration', '/jwks']);
    expect(issuer.authorizations).toEqual(['Bearer secret 1', 'Bearer secret 2']);
  });

  it('is warmed up at start for exact issuers, and a dead one delays no token of another', async () => {
    const keys = keysWith();
    const dead = await issuer.sibling('/dead');
    dead.discovery = 'down';
    const wild = entry(`${issuer.url}/*`);
    const entries = [entry(dead), entry(), wild, entry(issuer, { audiences: ['x'] })];
    await keys.warm(entries);
    expect(issuer.hits).toEqual({ discovery: 1, jwks: 1 });
    expect(dead.fetches).toBe(1);
    expect(keys.health(entries).map(({ up }) => up)).toEqual([false, true, true]);
    expect(await outcome(await issuer.sign(), keys, ...entries)).toBe('ok');
    expect(issuer.fetches).toBe(2);
  });
});

describe('without fetching', () => {
  const refuse = () => new Problem('rate_limited');

  it('a token that verifies from cached keys passes, and others get the refusal', async () => {
    const keys = keysWith();
    const good = await issuer.sign({}, long);
    const unknown = await issuer.sign({}, { ...long, header: { kid: 'x' } });
    const cached = keys.cachedOnly(refuse);
    expect(await outcome(good, cached)).toBe('rate_limited');
    expect(issuer.fetches).toBe(0);
    expect(await outcome(good, keys)).toBe('ok');
    expect(await outcome(good, cached)).toBe('ok');
    expect(await outcome(unknown, cached)).toBe('key_id_unknown'); // just fetched: known to be unknown
    clock.pass(2 * hour);
    expect(await outcome(good, cached)).toBe('ok');
    expect(await outcome(unknown, cached)).toBe('rate_limited');
    expect(issuer.fetches).toBe(2);
  });

  it('a pattern gains no issuer', async () => {
    const cached = keysWith().cachedOnly(refuse);
    const tenant = await issuer.sibling('/t');
    expect(await outcome(await tenant.sign(), cached, entry(`${issuer.url}/*`))).toBe('rate_limited');
    expect(tenant.fetches).toBe(0);
  });
});

describe('a pattern', () => {
  const limits = { maxIssuers: 3, fetchesPerMinute: 5 };

  it('makes at most a number of fetches in a minute, whatever unsigned tokens say', async () => {
    const keys = keysWith({ limits });
    const pattern = entry(`${issuer.url}/*`);
    const tenant = await issuer.sibling('/real');
    const good = await tenant.sign({}, long);
    expect(await outcome(good, keys, pattern)).toBe('ok');
    let requests = 0;
    const fetcher = new NodeFetcher();
    const counting = keysWith({
      limits,
      fetcher: {
        get: (...args) => {
          requests += 1;
          return fetcher.get(...args);
        },
      },
    });
    const flood = async (through: KeySets) => {
      for (let i = 0; i < 100; i += 1) {
        const token = await issuer.sign({ iss: `${issuer.url}/made-up-${i}` }, long);
        expect(await outcome(token, through, pattern)).toBe('issuer_unreachable');
      }
    };
    await flood(counting);
    expect(requests).toBe(5);
    await flood(keys);
    expect(await outcome(good, keys, pattern)).toBe('ok'); // still there
    expect(tenant.fetches).toBe(2);
    clock.pass(minute);
    const newcomer = await issuer.sibling('/newcomer');
    expect(await outcome(await newcomer.sign({}, long), keys, pattern)).toBe('ok');
  });

  it('keeps a bounded number of issuers: the one used last stays', async () => {
    const keys = keysWith({ limits: { ...limits, fetchesPerMinute: 100 } });
    const pattern = entry(`${issuer.url}/*`);
    const tenants = await Promise.all(['/a', '/b', '/c', '/d'].map((path) => issuer.sibling(path)));
    const tokens = await Promise.all(tenants.map((tenant) => tenant.sign({}, long)));
    for (const index of [0, 1, 2, 0, 3, 0])
      expect(await outcome(tokens[index] ?? '', keys, pattern)).toBe('ok');
    expect(tenants.map(({ hits }) => hits.discovery)).toEqual([1, 1, 1, 1]);
    expect(await outcome(tokens[1] ?? '', keys, pattern)).toBe('ok'); // was dropped for the fourth
    expect(tenants.map(({ hits }) => hits.discovery)).toEqual([1, 2, 1, 1]);
  });

  it('with a * in the host never leads to http, to a private address, or to one hidden in IPv6', async () => {
    const { port } = new URL(issuer.url);
    const answers: Record<string, string> = {
      'a.idp.test': '127.0.0.1',
      'b.idp.test': '10.1.2.3',
      'c.idp.test': '169.254.169.254',
      'd.idp.test': '::ffff:127.0.0.1',
      'e.idp.test': '64:ff9b::7f00:1',
      'f.idp.test': 'fd00:ec2::254',
    };
    const fetcher = new NodeFetcher({ resolve: async (name) => [answers[name] ?? ''], proxyEnv: {} });
    const faults: (string | undefined)[] = [];
    const keys = keysWith({ fetcher, observe: (_, fault) => faults.push(fault?.code) });
    for (const name of Object.keys(answers)) {
      const iss = `https://${name}:${port}`;
      const pattern = entry(`https://*.idp.test:${port}`);
      expect(await hintOf(await issuer.sign({ iss }), keys, pattern)).toContain('could not be reached');
    }
    expect(faults).toEqual(Array(6).fill('address_refused'));
    const plain = entry(`http://*.idp.test:${port}`);
    expect(await outcome(await issuer.sign({ iss: `http://a.idp.test:${port}` }), keys, plain)).toBe(
      'issuer_unreachable',
    );
    expect(faults.at(-1)).toBe('insecure_url');
    const numeric = entry('https://*');
    expect(await outcome(await issuer.sign({ iss: 'https://2130706433' }), keys, numeric)).toBe(
      'issuer_unreachable',
    );
    expect(faults.at(-1)).toBe('address_refused');
    expect(issuer.fetches).toBe(0);
  });

  it('with a * in the host may go inside when the operator says so, but never to metadata', async () => {
    const { port } = new URL(issuer.url);
    const inside = await issuer.sibling('/x');
    const iss = `http://a.idp.test:${port}/x`;
    Object.assign(inside.document, { issuer: iss, jwks_uri: `${iss}/jwks` });
    let address = '127.0.0.1';
    const fetcher = new NodeFetcher({ resolve: async () => [address], proxyEnv: {} });
    const pattern = entry(`http://*.idp.test:${port}/x`, { allowPrivateAddresses: true });
    expect(await outcome(await inside.sign({ iss }), keysWith({ fetcher }), pattern)).toBe('ok');
    address = '169.254.169.254';
    expect(await outcome(await inside.sign({ iss }), keysWith({ fetcher }), pattern)).toBe(
      'issuer_unreachable',
    );
  });

  it('with a literal host may live anywhere', async () => {
    const tenant = await issuer.sibling('/org/one');
    expect(await outcome(await tenant.sign(), keysWith(), entry(`${issuer.url}/org/*`))).toBe('ok');
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
