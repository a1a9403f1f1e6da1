// An identity is minted from a token that was really verified, and from nothing else.

import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { Identity, type IdentityFacts, identify } from '../../../src/identity/identity.ts';
import { NodeFetcher } from '../../../src/node/system/fetcher.ts';
import { type Issuer, IssuerDirectory } from '../../../src/token/issuer.ts';
import { IssuerKeys } from '../../../src/token/issuer-keys.ts';
import { authenticate, type VerifiedToken } from '../../../src/token/verified-token.ts';
import { facts, github, ISSUER, providerOf } from './kinds.ts';

let token: VerifiedToken;
let issuer: Issuer;

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  issuer = {
    name: 'test',
    url: ISSUER,
    wildcard: false,
    audiences: ['sigstore'],
    jwks: { keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig', kid: 'k' }] },
  };
  const signed = await new SignJWT(github)
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(ISSUER)
    .setAudience('sigstore')
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(privateKey);
  const keysets = new IssuerKeys({ fetcher: new NodeFetcher(), clock: systemClock });
  token = await authenticate(signed, new IssuerDirectory([issuer]), keysets, systemClock.now());
});

describe('identify', () => {
  test('carries the token and what derive makes of its claims', () => {
    const identity = identify(token, new Map([[issuer, providerOf({ type: 'github-workflow' })]]));
    expect(identity).toBeInstanceOf(Identity);
    expect(identity.token).toBe(token);
    const { issuer: iss, subject, san, challenge, attributes, quota } = identity;
    const made: IdentityFacts = { issuer: iss, subject, san, challenge, attributes, quota };
    expect(made).toEqual(facts({ type: 'github-workflow' }, github));
  });

  test('two entries of one URL have a provider each: the entry decides, not the URL', () => {
    const other: Issuer = { ...issuer, audiences: ['other'] };
    const providers = new Map([
      [other, providerOf({ type: 'github-workflow' })],
      [issuer, providerOf({ type: 'buildkite-job' })],
    ]);
    expect(() => identify(token, providers)).toThrow(expect.objectContaining({ field: 'organization_slug' }));
  });

  test('an issuer without a provider is a bug, not a Problem', () => {
    expect(() => identify(token, new Map())).toThrow('issuer test has no provider');
  });
});

test('facts are no identity', () => {
  const made = facts({ type: 'github-workflow' }, github);
  // @ts-expect-error the private field cannot be forged
  const forged: Identity = { ...made, token, identified: true };
  expect(forged).not.toBeInstanceOf(Identity);
});
