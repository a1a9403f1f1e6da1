// The steps before admission run for real: signed tokens, shipped kinds, proven keys.

import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, base64url as jose64, SignJWT } from 'jose';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Admitter, admit } from '../../../src/admission/admission.ts';
import { BucketKeys } from '../../../src/admission/bucket-key.ts';
import { type LimitName, Limits, type Override } from '../../../src/admission/limit.ts';
import type { Charge, Limiter } from '../../../src/admission/limiter.ts';
import { MemoryLimiter } from '../../../src/admission/memory-limiter.ts';
import { LimitExceeded } from '../../../src/admission/refusal.ts';
import type { ReplayCheck, ReplayMode } from '../../../src/admission/replay.ts';
import { type Binding, bind } from '../../../src/binding.ts';
import { type Instant, instantOf, systemClock } from '../../../src/clock.ts';
import { identify } from '../../../src/identity/identity.ts';
import { AlgorithmAllowList } from '../../../src/key/algorithm.ts';
import { NodeFetcher } from '../../../src/node/system/fetcher.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { nativeVerifier as verifier } from '../../../src/node/system/native-verifier.ts';
import { authorize } from '../../../src/policy/policy.ts';
import { type Issuer, IssuerDirectory } from '../../../src/token/issuer.ts';
import { IssuerKeys } from '../../../src/token/issuer-keys.ts';
import { authenticate } from '../../../src/token/verified-token.ts';
import { github, ISSUER, providerOf } from '../identity/kinds.ts';

const allowed = AlgorithmAllowList.parse(['ecdsa-sha2-256-nistp256']);
const keysets = new IssuerKeys({ fetcher: new NodeFetcher(), clock: systemClock });
let issuer: Issuer;
let issuerKey: CryptoKey;
let admitter: Admitter;
let spent: { issuerKey: string; charges: readonly Charge[]; replay: ReplayCheck | undefined }[];

/** The real one, looked over its shoulder. */
class WatchedLimiter extends MemoryLimiter implements Limiter {
  override spend(key: string, charges: readonly Charge[], replay: ReplayCheck | undefined, now: Instant) {
    spent.push({ issuerKey: key, charges, replay });
    return super.spend(key, charges, replay, now);
  }
}

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  issuerKey = privateKey;
  const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig', kid: 'k' };
  issuer = { name: 'test', url: ISSUER, wildcard: false, audiences: ['sigstore'], jwks: { keys: [jwk] } };
});

beforeEach(() => {
  spent = [];
  admitter = admitterOf();
});

function admitterOf(
  burst: Partial<Record<LimitName, number>> = {},
  mode: ReplayMode = 'allow',
  overrides: readonly Override[] = [],
): Admitter {
  const rate = (tokens: number) => ({ burst: tokens, count: 1, periodMs: 1000 });
  const rates = Object.fromEntries(Object.entries(burst).map(([name, tokens]) => [name, rate(tokens)]));
  return {
    limiter: new WatchedLimiter(),
    limits: new Limits(rates, overrides),
    keys: new BucketKeys(sha256),
    replay: new Map([[issuer, mode]]),
    random: (length) => new Uint8Array(length),
  };
}

async function tokenFor(claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return new SignJWT({ ...github, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(ISSUER)
    .setAudience('sigstore')
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(issuerKey);
}

const clientKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

async function bindingOf(
  token: string,
  key: { publicKey: KeyObject; privateKey: KeyObject },
): Promise<Binding> {
  const verified = await authenticate(token, new IssuerDirectory([issuer]), keysets, systemClock.now());
  const identity = identify(verified, new Map([[issuer, providerOf({ type: 'github-workflow' })]]));
  const publicKey = key.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const signature = sign('sha256', Buffer.from(identity.challenge), key.privateKey);
  return bind(
    authorize(identity, new Map()),
    { kind: 'possession', publicKey, signature },
    { allowed, verifier, sha256 },
  );
}

describe('limits', () => {
  it('spends one of identity, owner and issuer, each known to the store by a hash', async () => {
    const binding = await bindingOf(await tokenFor(), clientKey());
    const admission = await admit(binding, admitter, systemClock.now());
    expect(admission.binding).toBe(binding);
    expect(admission.states.map(({ limit, remaining }) => [limit, remaining])).toEqual([
      ['certificates-per-identity', 99],
      ['certificates-per-owner', 999],
      ['certificates-per-issuer', 4999],
    ]);
    const { quota } = binding.authorization.identity;
    const hash = (text: string) =>
      createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url');
    expect(spent[0]?.charges.map(({ key }) => key)).toEqual([
      hash(`i\0${ISSUER}\0${quota.identity}`),
      hash(`o\0${ISSUER}\0${quota.owner}`),
      hash(`s\0${ISSUER}\0`),
    ]);
    expect(spent[0]?.issuerKey).toBe(spent[0]?.charges[2]?.key);
    expect(spent[0]?.replay).toBeUndefined();
  });

  it('limits a repository whatever its ref and workflow, and its owner across repositories', async () => {
    admitter = admitterOf({ 'certificates-per-identity': 2, 'certificates-per-owner': 3 });
    const now = systemClock.now();
    const tries = [
      [{ ref: 'refs/heads/one' }, undefined],
      [{ ref: 'refs/heads/two', sub: 'repo:acme/site:ref:refs/heads/two' }, undefined],
      [{ ref: 'refs/heads/three' }, 'certificates-per-identity'],
      [{ repository_id: '999' }, undefined],
      [{ repository_id: '1000' }, 'certificates-per-owner'],
      [{ repository_id: '1000', repository_owner_id: '77' }, undefined],
    ] as const;
    for (const [claims, limit] of tries) {
      const admission = admit(await bindingOf(await tokenFor(claims), clientKey()), admitter, now);
      if (limit === undefined) await admission;
      else await expect(admission).rejects.toMatchObject({ code: 'rate_limited', limit });
    }
  });

  it('refuses with 429, when to come back, and how the limits stand', async () => {
    admitter = admitterOf({ 'certificates-per-issuer': 1 });
    const now = instantOf(Date.parse('2026-06-01T10:00:00Z'));
    const binding = await bindingOf(await tokenFor(), clientKey());
    await admit(binding, admitter, now);
    const refused = await admit(binding, admitter, now).catch((cause) => cause);
    expect(refused).toBeInstanceOf(LimitExceeded);
    expect(refused).toMatchObject({
      status: 429,
      rpcCode: 8,
      retryAfter: 1,
      limit: 'certificates-per-issuer',
    });
    expect(refused.message).toContain('at 2026-06-01T10:00:01Z');
    expect(refused.states).toHaveLength(3);
  });

  it('gives back once what an issuance did not use', async () => {
    admitter = admitterOf({ 'certificates-per-identity': 2 });
    const now = systemClock.now();
    const binding = await bindingOf(await tokenFor(), clientKey());
    const failed = await admit(binding, admitter, now);
    await admit(binding, admitter, now);
    await failed.refund();
    await failed.refund();
    await admit(binding, admitter, now);
    await expect(admit(binding, admitter, now)).rejects.toMatchObject({ code: 'rate_limited' });
  });

  it('obeys an override for an owner, by its id at its issuer', async () => {
    const { owner = '' } = (await bindingOf(await tokenFor(), clientKey())).authorization.identity.quota;
    const rate = { burst: 5, count: 1, periodMs: 1000 };
    const ids = [{ id: `${ISSUER}#${owner}`, comment: 'release farm' }];
    admitter = admitterOf({ 'certificates-per-owner': 1 }, 'allow', [
      { limit: 'certificates-per-owner', ids, rate },
    ]);
    const admission = await admit(
      await bindingOf(await tokenFor(), clientKey()),
      admitter,
      systemClock.now(),
    );
    expect(admission.states[1]).toMatchObject({ limit: 'certificates-per-owner', remaining: 4 });
  });

  it('admits everything without an admitter, and limits nothing without limits', async () => {
    const binding = await bindingOf(await tokenFor(), clientKey());
    const admission = await admit(binding, undefined, systemClock.now());
    expect(admission.states).toEqual([]);
    await admission.refund();
    await admit(binding, { ...admitter, limits: undefined }, systemClock.now());
    expect(spent).toEqual([]);
  });
});

describe('replay', () => {
  it('allow: one token for many keys', async () => {
    const token = await tokenFor();
    for (let i = 0; i < 3; i++) await admit(await bindingOf(token, clientKey()), admitter, systemClock.now());
  });

  it('same-key: a stolen token is worth nothing without the key', async () => {
    admitter = admitterOf({}, 'same-key');
    const [token, key] = [await tokenFor(), clientKey()];
    for (let i = 0; i < 3; i++) await admit(await bindingOf(token, key), admitter, systemClock.now());
    await expect(
      admit(await bindingOf(token, clientKey()), admitter, systemClock.now()),
    ).rejects.toMatchObject({
      code: 'token_replayed',
      status: 400,
    });
    await admit(await bindingOf(await tokenFor({ jti: 'next' }), clientKey()), admitter, systemClock.now());
  });

  it('once: the same token with its signature rewritten into another valid one is the same token', async () => {
    admitter = admitterOf({}, 'once');
    const token = await tokenFor();
    await admit(await bindingOf(token, clientKey()), admitter, systemClock.now());
    const twin = await bindingOf(rewritten(token), clientKey()); // authenticates
    await expect(admit(twin, admitter, systemClock.now())).rejects.toMatchObject({ code: 'token_replayed' });
  });

  it('holds where limits are off, and is remembered for longer than the token lives', async () => {
    admitter = { ...admitterOf({}, 'once'), limits: undefined };
    const binding = await bindingOf(await tokenFor(), clientKey());
    await admit(binding, admitter, systemClock.now());
    await expect(admit(binding, admitter, systemClock.now())).rejects.toMatchObject({
      code: 'token_replayed',
    });
    expect(spent[0]?.replay?.expiresAt).toBeGreaterThan(binding.authorization.identity.token.expiresAt);
    expect(spent[0]?.charges).toEqual([]);
  });

  it('a limiter that cannot tell is a 503', async () => {
    const limiter: Limiter = { spend: () => ({ allowed: false, reason: 'unavailable' }) };
    const binding = await bindingOf(await tokenFor(), clientKey());
    await expect(admit(binding, { ...admitter, limiter }, systemClock.now())).rejects.toMatchObject({
      code: 'limiter_unavailable',
      status: 503,
      retryAfter: 1,
    });
  });
});

/** (r, s) and (r, n - s) verify alike. */
function rewritten(token: string): string {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const [header, payload, signature = ''] = token.split('.');
  const bytes = Buffer.from(jose64.decode(signature));
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  return [header, payload, jose64.encode(other)].join('.');
}
