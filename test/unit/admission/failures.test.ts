import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { clientOf } from '../../../src/admission/address.ts';
import { BucketKeys } from '../../../src/admission/bucket-key.ts';
import { AddressFailures, FailedProofs } from '../../../src/admission/failures.ts';
import { Limits } from '../../../src/admission/limit.ts';
import { LimitExceeded } from '../../../src/admission/refusal.ts';
import { type Instant, instantOf } from '../../../src/clock.ts';
import { Problem, type ProblemCode } from '../../../src/problem.ts';

const NOW = instantOf(Date.parse('2026-06-01T10:00:00Z'));
const later = (ms: number): Instant => instantOf(NOW + ms);
const random = (length: number) => new Uint8Array(length);
const keys = new BucketKeys((data) => new Uint8Array(createHash('sha256').update(data).digest()));
const rate = { burst: 3, count: 3600, periodMs: 3_600_000 };

describe('AddressFailures', () => {
  const failures = () => new AddressFailures(new Limits({ 'failures-per-address': rate }));

  it('is exhausted after the burst, and has room again as it flows back', () => {
    const counter = failures();
    for (let i = 0; i < 3; i++) {
      expect(counter.exhausted('192.0.2.1', NOW)).toBe(false);
      counter.count('192.0.2.1', NOW);
    }
    expect(counter.exhausted('192.0.2.1', NOW)).toBe(true);
    expect(counter.exhausted('192.0.2.2', NOW)).toBe(false);
    expect(counter.exhausted('192.0.2.1', later(999))).toBe(true);
    expect(counter.exhausted('192.0.2.1', later(1000))).toBe(false);
  });

  it('does not punish failing on while exhausted', () => {
    const counter = failures();
    for (let i = 0; i < 100; i++) counter.count('192.0.2.1', NOW);
    expect(counter.exhausted('192.0.2.1', later(1000))).toBe(false);
  });

  it('counts a /64 of IPv6 as one client, and an override for it', () => {
    const limits = new Limits({ 'failures-per-address': rate }, [
      { limit: 'failures-per-address', ids: [{ id: '2001:db8:0:2::/64' }], rate: { ...rate, burst: 100 } },
    ]);
    const counter = new AddressFailures(limits);
    for (let i = 0; i < 3; i++) counter.count(`2001:db8:0:1::${i + 1}`, NOW);
    expect(counter.exhausted('2001:db8:0:1:ffff::9', NOW)).toBe(true);
    for (let i = 0; i < 99; i++) counter.count('2001:db8:0:2::1', NOW);
    expect(counter.exhausted('2001:db8:0:2::2', NOW)).toBe(false);
  });

  it('lets nobody wait for a clock that was set back', () => {
    const counter = failures();
    for (let i = 0; i < 3; i++) counter.count('192.0.2.1', later(86_400_000));
    expect(counter.exhausted('192.0.2.1', NOW)).toBe(true);
    expect(counter.exhausted('192.0.2.1', later(1000))).toBe(false);
  });

  it('refuses with the limit, its rate, and the time', () => {
    const counter = failures();
    for (let i = 0; i < 3; i++) counter.count('192.0.2.1', NOW);
    expect(() => counter.check('192.0.2.1', random, NOW)).toThrow(LimitExceeded);
    expect(() => counter.check('192.0.2.1', random, NOW)).toThrow(/failures-per-address.*burst of 3/);
    expect(() => counter.check('192.0.2.2', random, NOW)).not.toThrow();
  });
});

describe('FailedProofs', () => {
  const prover = { issuer: 'https://issuer.example', identity: '42' };
  const fail = (code: ProblemCode) => () => {
    throw new Problem(code);
  };
  const guard = (proofs: FailedProofs, prove: () => string, at: Instant = NOW, who = prover) =>
    proofs.guard(who, random, at, prove);

  it('runs no further proof of an identity whose proofs keep failing', async () => {
    const proofs = new FailedProofs(new Limits({ 'failed-proofs-per-identity': rate }), keys);
    expect(await guard(proofs, () => 'proven')).toBe('proven');
    for (const code of ['possession_unproven', 'key_rejected', 'possession_unproven'] as const) {
      await expect(guard(proofs, fail(code))).rejects.toMatchObject({ code });
    }
    let ran = false;
    const prove = () => {
      ran = true;
      return 'proven';
    };
    await expect(guard(proofs, prove)).rejects.toMatchObject({ code: 'rate_limited', retryAfter: 1 });
    expect(ran).toBe(false);
    expect(await guard(proofs, prove, NOW, { ...prover, identity: '43' })).toBe('proven');
    expect(await guard(proofs, prove, later(1000))).toBe('proven');
  });

  it('does not count what is no failed proof', async () => {
    const proofs = new FailedProofs(new Limits({ 'failed-proofs-per-identity': rate }), keys);
    for (const code of ['algorithm_not_permitted', 'signer_unavailable', 'public_key_invalid'] as const) {
      for (let i = 0; i < 3; i++) await expect(guard(proofs, fail(code))).rejects.toMatchObject({ code });
    }
    expect(await guard(proofs, () => 'proven')).toBe('proven');
  });
});

describe('clientOf', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['::1', '0:0:0:0::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:DB8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
    ['2001:db8:0:1::', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::203.0.113.7', '64:ff9b:0:0::/64'],
    ['1::2::3', '1::2::3'],
    ['1:2:3', '1:2:3'],
    ['1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8:9'],
    ['::ffff:203.0.113.777', '::ffff:203.0.113.777'],
    ['not an address', 'not an address'],
    [':'.repeat(1000), ':'.repeat(64)],
  ])('%s -> %s', (address, client) => expect(clientOf(address)).toBe(client));
});
