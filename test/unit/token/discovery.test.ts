import { describe, expect, it } from 'vitest';
import { discoveryTarget, readDiscovery } from '../../../src/token/discovery.ts';
import { FetchError } from '../../../src/token/fetcher.ts';
import type { Issuer } from '../../../src/token/issuer.ts';
import { IssuerFault } from '../../../src/token/issuer-fault.ts';

function entry(url: string, overrides: Partial<Issuer> = {}): Issuer {
  return { name: 'test', url, wildcard: url.includes('*'), audiences: ['sigstore'], ...overrides };
}

/** 'reach URL', or the code of the error. */
function described(target: () => { readonly url: URL; readonly addresses: string }): string {
  try {
    const { url, addresses } = target();
    return `${addresses} ${url.href}`;
  } catch (error) {
    if (error instanceof IssuerFault || error instanceof FetchError) return error.code;
    throw error;
  }
}

const wellKnown = '/.well-known/openid-configuration';
const exact = entry('https://idp.test');
const path = entry('https://idp.test/*');
const host = entry('https://*.idp.test');
const inside = entry('https://*.idp.test', { allowPrivateAddresses: true });

describe('the discovery document', () => {
  it.each([
    [exact, 'https://idp.test', `any https://idp.test${wellKnown}`],
    [exact, 'https://idp.test/', `any https://idp.test${wellKnown}`], // one slash is dropped
    [exact, 'https://idp.test//', `any https://idp.test/${wellKnown}`], // and only one
    [exact, 'https://idp.test/realm/', `any https://idp.test/realm${wellKnown}`],
    [exact, 'http://idp.test', `any http://idp.test${wellKnown}`],
    [path, 'https://idp.test/a', `any https://idp.test/a${wellKnown}`],
    [host, 'https://a.idp.test', `public https://a.idp.test${wellKnown}`],
    [entry('http://*.idp.test'), 'http://a.idp.test', 'insecure_url'],
    [inside, 'https://a.idp.test', `any https://a.idp.test${wellKnown}`],
    [exact, 'idp.test', 'invalid_url'],
    [exact, 'ftp://idp.test', 'invalid_url'],
  ])('of %o for %s is at: %s', (issuer, iss, expected) => {
    expect(described(() => discoveryTarget(issuer, iss))).toBe(expected);
  });
});

describe('the key set that a document names', () => {
  const plain = entry('http://idp.test');
  const listing = entry('https://idp.test', { jwksHosts: ['Keys.test', 'other.test:8443'] });
  it.each([
    [exact, 'https://idp.test/jwks', 'any https://idp.test/jwks'],
    [exact, 'https://IDP.test:443/jwks', 'any https://idp.test/jwks'],
    [exact, 'https://idp.test:8443/jwks', 'public https://idp.test:8443/jwks'],
    [exact, 'https://keys.test/jwks', 'public https://keys.test/jwks'],
    [exact, 'http://idp.test/jwks', 'insecure_url'], // no way down from https
    [exact, 'http://keys.test/jwks', 'insecure_url'],
    [plain, 'http://idp.test/jwks', 'any http://idp.test/jwks'],
    [plain, 'https://idp.test/jwks', 'any https://idp.test/jwks'],
    [plain, 'http://keys.test/jwks', 'insecure_url'],
    [plain, 'https://keys.test/jwks', 'public https://keys.test/jwks'],
    [listing, 'http://keys.test/jwks', 'any http://keys.test/jwks'],
    [listing, 'https://keys.test:1/jwks', 'any https://keys.test:1/jwks'],
    [listing, 'https://other.test:8443/jwks', 'any https://other.test:8443/jwks'],
    [listing, 'https://other.test/jwks', 'public https://other.test/jwks'],
    [path, 'https://idp.test/jwks', 'any https://idp.test/jwks'],
    [exact, 'https://user:pass@idp.test/jwks', 'invalid_url'],
    [exact, '/jwks', 'invalid_url'],
    [exact, 'javascript:0', 'invalid_url'],
  ])('under %o at %s is fetched from: %s', (issuer, jwksUri, expected) => {
    const iss = issuer.wildcard ? 'https://idp.test/a' : issuer.url;
    const read = () => readDiscovery({ issuer: iss, jwks_uri: jwksUri }, issuer, iss).jwks;
    expect(described(read)).toBe(expected);
  });

  it.each([
    [host, 'https://a.idp.test/jwks', 'public https://a.idp.test/jwks'],
    [host, 'https://b.idp.test/jwks', 'public https://b.idp.test/jwks'],
    [inside, 'https://a.idp.test/jwks', 'any https://a.idp.test/jwks'],
    [inside, 'https://b.idp.test/jwks', 'public https://b.idp.test/jwks'],
  ])('under %o with a * in the host, at %s, is fetched from: %s', (issuer, jwksUri, expected) => {
    const iss = 'https://a.idp.test';
    const read = () => readDiscovery({ issuer: iss, jwks_uri: jwksUri }, issuer, iss).jwks;
    expect(described(read)).toBe(expected);
  });
});

it.each([
  [undefined, ['RS256']],
  [[], ['RS256']],
  ['ES256', ['RS256']],
  [['none', 'HS256', 5, null], ['RS256']],
  [
    ['PS512', 'none', 'EdDSA', 'ES256', 'HS512'],
    ['ES256', 'PS512', 'EdDSA'],
  ],
])('of the announced algorithms %j, %j are accepted', (announced, expected) => {
  const document = {
    issuer: exact.url,
    jwks_uri: 'https://idp.test/jwks',
    id_token_signing_alg_values_supported: announced,
  };
  expect(readDiscovery(document, exact, exact.url).algorithms).toEqual(expected);
});
