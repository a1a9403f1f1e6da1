// Audiences: what a token is asked for, by what the instance says about its issuers.

import { expect, test } from 'vitest';
import { audienceFor } from '../../../src/client/audience.ts';
import type { IssuerListing } from '../../../src/config/settings.ts';

const listing = (issuerUrl: string, issuerType: string, audience: string): IssuerListing => ({
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
])('the audience %s', (_, listings, audience) => expect(audienceFor(GITHUB, listings)).toBe(audience));

test('a choice that only a person can make is left to one', () => {
  const listings = [listing('https://a', 'github', 'one'), listing('https://b', 'github', 'two')];
  expect(() => audienceFor(GITHUB, listings)).toThrow(/one, two\): choose one with --audience/);
});

test('an instance without issuers wants no token', () => {
  expect(() => audienceFor(undefined, [])).toThrow(/trusts no issuer/);
});
