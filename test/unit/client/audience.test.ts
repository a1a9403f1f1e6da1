// Audiences: what a token is asked for, by what the instance says about its issuers.

import { describe, expect, test } from 'vitest';
import { audienceFor, bindingOf } from '../../../src/client/audience.ts';
import { readIdentityToken } from '../../../src/client/identity-token.ts';
import type { IssuerListing } from '../../../src/config/settings.ts';

const listing = (
  issuerUrl: string,
  issuerType: string,
  audience: string,
  binding?: 'audience-thumbprint',
): IssuerListing => ({
  ...(binding === undefined ? {} : { binding }),
  issuerUrl,
  issuerType,
  audience,
  challengeClaim: '',
  spiffeTrustDomain: '',
  subjectDomain: '',
  skipEmailVerification: false,
});

const GITHUB = { types: ['github'], urls: ['https://token.actions.githubusercontent.com'] };

test.each([
  [
    'of the type',
    [listing('https://ghe.example.com', 'github', 'ours'), listing('https://b', 'email', 'other')],
    'ours',
  ],
  [
    'of the URL, in a Fulcio file',
    [
      listing('https://token.actions.githubusercontent.com', 'ci-provider', 'ours'),
      listing('https://b', 'email', 'o'),
    ],
    'ours',
  ],
  [
    'of all, where none fits',
    [listing('https://a', 'email', 'ours'), listing('https://b', 'uri', 'ours')],
    'ours',
  ],
  [
    'that is usual, of several',
    [listing('https://a', 'email', 'ours'), listing('https://b', 'uri', 'sigstore')],
    'sigstore',
  ],
])('the audience %s', (_, listings, audience) =>
  expect(audienceFor(GITHUB, listings)).toEqual({ name: audience, bound: false }),
);

test('a choice that only a person can make is left to one', () => {
  const listings = [listing('https://a', 'github', 'one'), listing('https://b', 'github', 'two')];
  expect(() => audienceFor(GITHUB, listings)).toThrow(/one, two\): choose one with --audience/);
});

test('an instance without issuers wants no token', () => {
  expect(() => audienceFor(undefined, [])).toThrow(/trusts no issuer/);
});

describe('a token for one key', () => {
  const BOUND = 'audience-thumbprint';
  const HOSTED = 'https://token.actions.githubusercontent.com';
  const both = [listing(HOSTED, 'github', 'sigstore', BOUND), listing('https://b', 'email', 'sigstore')];

  test.each([
    ['where the issuer that fits wants it', both, undefined, true],
    [
      'not where another does',
      [...both].map((one, i) => (i === 0 ? { ...one, issuerType: 'email', issuerUrl: 'https://c' } : one)),
      undefined,
      false,
    ],
    ['not for an audience of which that is not said', both, 'other', false],
    [
      'not where only one of those that fit does',
      [...both, listing('https://c', 'github', 'sigstore')],
      undefined,
      false,
    ],
  ] as const)('is asked for %s', (_, listings, chosen, bound) => {
    expect(audienceFor(GITHUB, listings, chosen)).toEqual({ name: chosen ?? 'sigstore', bound });
  });

  const key = { thumbprint: 'A'.repeat(43) };
  const tokenFor = (aud: unknown) => {
    const payload = Buffer.from(JSON.stringify({ iss: HOSTED, aud })).toString('base64url');
    return readIdentityToken(`e30.${payload}.`, 'the test');
  };

  test.each([
    [`sigstore+${key.thumbprint}`, 'kept'],
    [['x', `sigstore+${key.thumbprint}`], 'kept'],
    ['sigstore', 'needed'],
    [`sigstore+${'B'.repeat(43)}`, 'needed'],
    ['somebody', 'free'], // the instance has more to say about that
    [undefined, 'free'],
  ] as const)('aud %j: %s', (aud, binding) => {
    expect(bindingOf(tokenFor(aud), both, key)).toBe(binding);
  });

  test('is not needed where another entry for the issuer takes any', () => {
    expect(bindingOf(tokenFor('sigstore'), [...both, listing(HOSTED, 'github', 'sigstore')], key)).toBe(
      'free',
    );
  });
});
