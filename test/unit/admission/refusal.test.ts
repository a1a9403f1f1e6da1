import { describe, expect, it } from 'vitest';
import { DEFAULT_RATES, Limits } from '../../../src/admission/limit.ts';
import { type Charge, limited, statesOf } from '../../../src/admission/limiter.ts';
import { rateLimitHeaders, violatedPolicies } from '../../../src/admission/rate-limit-headers.ts';
import { LimitExceeded, replayed } from '../../../src/admission/refusal.ts';
import { instantOf } from '../../../src/clock.ts';

const NOW = instantOf(Date.parse('2026-06-01T10:00:00.250Z'));
const charges: readonly Charge[] = (
  ['certificates-per-identity', 'certificates-per-owner', 'certificates-per-issuer'] as const
).map((limit) => ({ limit, key: limit, rate: DEFAULT_RATES[limit] }));
const [identity, owner] = charges;
const drained = (charge: Charge | undefined, seconds: number) =>
  limited(charge === undefined ? [] : [charge], [seconds * 1e6]);
const random = (byte: number) => (length: number) => new Uint8Array(length).fill(byte);

describe('LimitExceeded', () => {
  it('names the limit, burst and refill apart, and when to come back', () => {
    const refusal = new LimitExceeded(drained(identity, 360), random(0), NOW);
    expect(refusal.message).toBe(
      'The limit certificates-per-identity is used up: it allows a burst of 100, and 1000 flow back every 1h, ' +
        'one by one; come back in 4 seconds, at 2026-06-01T10:00:05Z',
    );
    expect(refusal).toMatchObject({
      status: 429,
      rpcCode: 8,
      reason: 'RATE_LIMITED',
      retryAfter: 4,
      metadata: { limit: 'certificates-per-identity', burst: '100', refill: '1000', refillPeriod: '1h' },
    });
  });

  it('spreads those who wait over three per cent more, never less', () => {
    const rate = { burst: 1, count: 1, periodMs: 1_000_000 };
    const verdict = limited([{ limit: 'certificates-per-owner', key: 'o', rate }], [1e9]);
    const waits = [0, 128, 255].map((byte) => new LimitExceeded(verdict, random(byte), NOW).retryAfter);
    expect(waits).toEqual([1000, 1016, 1030]);
  });

  it('spreads those who wait for seconds over one more', () => {
    const waits = [0, 64, 128, 255].map((byte) => {
      return new LimitExceeded(drained(identity, 360), random(byte), NOW).retryAfter;
    });
    expect(waits).toEqual([4, 4, 5, 5]); // of 3.6 s
  });

  it('says a replay rule without saying whose token it was', () => {
    expect(replayed('once')).toMatchObject({ code: 'token_replayed', status: 400, rpcCode: 3 });
    expect(replayed('once').hint).toMatch(/one certificate/);
    expect(replayed('same-key').hint).toMatch(/public key/);
  });
});

describe('RateLimit fields', () => {
  it('tell identity and owner of a certificate, the burst as quota and the refill beside it', () => {
    expect(rateLimitHeaders(statesOf(charges, [59 * 3.6e6 + 1, 0.36e6, 0.072e6]))).toEqual({
      'ratelimit-policy':
        '"certificates-per-identity";q=100;w=360;mayfly-refill=1000;mayfly-period=3600, ' +
        '"certificates-per-owner";q=1000;w=360;mayfly-refill=10000;mayfly-period=3600',
      ratelimit: '"certificates-per-identity";r=40;t=1, "certificates-per-owner";r=999;t=1',
    });
  });

  it('tell only the violated limits of a refusal, with a window that ends no later than Retry-After', () => {
    const verdict = limited(charges, [360e6, 12 * 3.6e5, 0]);
    expect(rateLimitHeaders(verdict.states)).toEqual({
      'ratelimit-policy': '"certificates-per-identity";q=100;w=360;mayfly-refill=1000;mayfly-period=3600',
      ratelimit: '"certificates-per-identity";r=0;t=4',
    });
    expect(violatedPolicies(verdict.states)).toEqual(['certificates-per-identity']);
    expect(new LimitExceeded(verdict, random(0), NOW).retryAfter).toBe(4);
  });

  it('are absent where nothing is limited', () => expect(rateLimitHeaders([])).toEqual({}));

  it('are structured fields: strings with integer parameters (RFC 9651)', () => {
    const item = '"[ !#-[\\]-~]+"(;[a-z*][a-z0-9_.*-]*=(0|[1-9][0-9]{0,14}))+';
    const list = new RegExp(`^${item}(, ${item})*$`);
    for (const value of Object.values(rateLimitHeaders(statesOf(charges, [1, 1, 1]))))
      expect(value).toMatch(list);
  });
});

describe('Limits', () => {
  const wide = { burst: 5000, count: 50_000, periodMs: 3_600_000 };
  const issuer = 'https://token.actions.githubusercontent.com';
  const limits = new Limits({ 'certificates-per-identity': { burst: 7, count: 7, periodMs: 1000 } }, [
    {
      limit: 'certificates-per-owner',
      ids: [{ id: `${issuer}#12345`, comment: 'release farm' }],
      rate: wide,
    },
    {
      limit: 'certificates-per-identity',
      ids: [{ id: `${issuer}#https://github.com/a/b/.github/workflows/c.yml@refs/heads/main` }],
      rate: wide,
    },
    { limit: 'certificates-per-issuer', ids: [{ id: issuer }], rate: wide },
  ]);

  it('finds an owner of one issuer, and not its namesake at another', () => {
    expect(limits.rate('certificates-per-owner', issuer, '12345')).toBe(wide);
    expect(limits.rate('certificates-per-owner', 'https://ghe.example', '12345')).toEqual(
      DEFAULT_RATES['certificates-per-owner'],
    );
    expect(limits.rate('certificates-per-owner', issuer, '1234')).not.toBe(wide);
  });

  it('finds an identity by its stable id or by its SAN', () => {
    const san = 'https://github.com/a/b/.github/workflows/c.yml@refs/heads/main';
    expect(limits.rate('certificates-per-identity', issuer, '99', san)).toBe(wide);
    expect(limits.rate('certificates-per-identity', issuer, '99', 'other').burst).toBe(7);
  });

  it('finds an issuer by its URL alone', () => {
    expect(limits.rateOf('certificates-per-issuer', issuer)).toBe(wide);
    expect(limits.rateOf('certificates-per-issuer', 'https://other.example')).toBe(
      DEFAULT_RATES['certificates-per-issuer'],
    );
  });

  it('has a usable default for every limit', () => {
    expect(new Limits().rateOf('failures-per-address', '192.0.2.1').burst).toBe(200);
  });
});

describe('statesOf', () => {
  it('counts the seconds to the next token and to the last', () => {
    expect(owner && statesOf([owner], [1.5 * 0.36e6])[0]).toMatchObject({
      remaining: 998,
      nextSeconds: 1,
      resetSeconds: 1,
    });
  });
});
