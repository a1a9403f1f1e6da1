// The keys of an issuer, asked by isolates and fetched by one object: few fetches, new keys in time, and bad days bridged.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { instantOf } from '../../../src/clock.ts';
import { Problem } from '../../../src/problem.ts';
import { type Issuer, IssuerDirectory } from '../../../src/token/issuer.ts';
import { authenticate } from '../../../src/token/verified-token.ts';
import { FetchFetcher } from '../../../src/web/fetch-fetcher.ts';
import { DurableKeys } from '../../../src/workers/durable-keys.ts';
import { SharedKeys } from '../../../src/workers/shared-keys.ts';
import { Platform } from '../../fakes/durable-object.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { ManualClock } from '../log/support.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let idp: FakeIssuer;
let clock: ManualClock;
let platform: Platform;
let object: DurableKeys;
let entry: Issuer;

beforeEach(async () => {
  idp = await startIssuer();
  clock = new ManualClock(Date.now());
  platform = new Platform();
  entry = { name: 'idp', url: idp.url, wildcard: false, audiences: ['sigstore'] };
  object = newObject();
});
afterEach(() => idp.close());

function newObject(): DurableKeys {
  return new DurableKeys({
    issuers: [entry],
    sql: platform.start().sql,
    fetcher: new FetchFetcher(),
    clock,
  });
}

/** The object is evicted, and made anew when it is asked again. */
function evict(): void {
  platform.rest();
  object = newObject();
}

const isolate = (): SharedKeys => new SharedKeys((query) => object.candidates(query));

async function accepts(keysets: SharedKeys, token: string): Promise<true | string> {
  try {
    await authenticate(token, new IssuerDirectory([entry]), keysets, instantOf(clock.value));
    return true;
  } catch (error) {
    if (error instanceof Problem) return error.reason;
    throw error;
  }
}

const sign = (): Promise<string> => idp.sign({}, { expiresIn: 200_000 });

describe('keys that isolates share', () => {
  it('are fetched once, however many isolates and tokens there are', async () => {
    const isolates = Array.from({ length: 8 }, isolate);
    const tokens = await Promise.all([sign(), sign(), sign()]);
    const all = isolates.flatMap((keysets) => tokens.map((token) => accepts(keysets, token)));
    expect(new Set(await Promise.all(all))).toEqual(new Set([true]));
    expect(idp.hits).toEqual({ discovery: 1, jwks: 1 });
  });

  it('serve an isolate without the object for a while', async () => {
    const keysets = isolate();
    expect(await accepts(keysets, await sign())).toBe(true);
    object.candidates = () => Promise.reject(new Error('the object is gone'));
    expect(await accepts(keysets, await sign())).toBe(true);
    clock.value += 2 * HOUR;
    expect(await accepts(keysets, await sign())).toBe(true);
    expect(await accepts(isolate(), await sign())).toBe('ISSUER_UNREACHABLE');
  });

  it('are asked for again when a new one signs, at most every thirty seconds', async () => {
    const keysets = isolate();
    await accepts(keysets, await sign());
    await idp.addKey('ES256', 'new');
    const token = await sign();
    expect(await accepts(keysets, token)).toBe('KEY_ID_UNKNOWN');
    clock.value += 31_000;
    expect(await accepts(keysets, token)).toBe(true);
    expect(idp.hits.jwks).toBe(2);
    for (let i = 0; i < 20; i++) {
      const other = await idp.sign({}, { header: { kid: `made-up-${i}` } });
      expect(await accepts(isolate(), other)).toBe('KEY_ID_UNKNOWN');
    }
    expect(idp.hits.jwks).toBe(2);
  });

  it('that were replaced under the same name are found', async () => {
    const keysets = isolate();
    const [first] = idp.keys;
    expect(await accepts(keysets, await sign())).toBe(true);
    idp.keys = [];
    idp.published = [];
    await idp.addKey('ES256', first?.kid);
    const token = await sign();
    clock.value += 31_000;
    expect(await accepts(keysets, token)).toBe(true);
    expect(await accepts(keysets, await sign())).toBe(true);
  });

  it('that verify nothing are not asked about with every token', async () => {
    const keysets = isolate();
    await accepts(keysets, await sign());
    let asked = 0;
    const { candidates } = object;
    object.candidates = (query) => {
      asked += 1;
      return candidates.call(object, query);
    };
    const [header, payload] = (await sign()).split('.');
    const forged = `${header}.${payload}.${'A'.repeat(86)}`;
    for (let i = 0; i < 20; i++) expect(await accepts(keysets, forged)).toBe('SIGNATURE_INVALID');
    expect(asked).toBe(1);
    expect(idp.hits.jwks).toBe(1);
  });

  it('of an algorithm that the issuer does not announce are none', async () => {
    await idp.addKey('RS256');
    expect(await accepts(isolate(), await sign())).toBe('SIGNATURE_INVALID');
  });

  it('without a kid are all tried', async () => {
    await idp.addKey('ES256');
    const token = await idp.sign({}, { key: idp.keys[0], header: { kid: undefined } });
    expect(await accepts(isolate(), token)).toBe(true);
  });

  it('in the configuration are never fetched', async () => {
    entry = { ...entry, jwks: { keys: idp.keys.map(({ jwk }) => ({ ...jwk })) } };
    object = newObject();
    expect(await accepts(isolate(), await sign())).toBe(true);
    expect(idp.fetches).toBe(0);
  });

  it('are not given for an entry that this deployment does not have', async () => {
    const query = {
      name: 'idp',
      url: 'https://other.test',
      iss: idp.url,
      alg: 'ES256',
      kid: undefined,
    } as const;
    const outcome = await object.candidates({ ...query, now: clock.value, failed: undefined });
    expect(outcome).toMatchObject({ problem: { code: 'issuer_unreachable' } });
  });
});

describe('an object that was evicted', () => {
  it('fetches nothing that it fetched just now', async () => {
    await accepts(isolate(), await sign());
    clock.value += 5 * MINUTE;
    evict();
    expect(await accepts(isolate(), await sign())).toBe(true);
    expect(idp.hits).toEqual({ discovery: 1, jwks: 1 });
  });

  it('fetches what is old', async () => {
    await accepts(isolate(), await sign());
    clock.value += 11 * MINUTE;
    evict();
    expect(await accepts(isolate(), await sign())).toBe(true);
    expect(idp.hits.jwks).toBe(2);
  });

  it('gets by without an issuer that is down', async () => {
    await accepts(isolate(), await sign());
    clock.value += 2 * HOUR;
    evict();
    idp.discovery = 'down';
    idp.jwks = 'down';
    expect(await accepts(isolate(), await sign())).toBe(true);
    clock.value += 22.5 * HOUR;
    evict();
    expect(await accepts(isolate(), await sign())).toBe('ISSUER_UNREACHABLE');
  });

  it('does not take an old document for the answer of an issuer that says no', async () => {
    await accepts(isolate(), await sign());
    clock.value += HOUR;
    evict();
    idp.jwks = { status: 404 };
    expect(await accepts(isolate(), await sign())).toBe('ISSUER_UNREACHABLE');
  });

  it('sees a new key as soon as one that was not', async () => {
    await accepts(isolate(), await sign());
    await idp.addKey('ES256');
    evict();
    const token = await sign();
    expect(await accepts(isolate(), token)).toBe('KEY_ID_UNKNOWN');
    clock.value += 31_000;
    expect(await accepts(isolate(), token)).toBe(true);
  });
});
