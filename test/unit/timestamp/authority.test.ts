// When the authority gives timestamps, when it refuses, and which keys and chains it starts with.

import { afterAll, describe, expect, test } from 'vitest';
import type { AuthorityErrorCode } from '../../../src/certificate/authority-error.ts';
import { instantOf } from '../../../src/clock.ts';
import type { Oid } from '../../../src/oid.ts';
import { parseJsonQuery } from '../../../src/timestamp/json-query.ts';
import type { TimestampQuery } from '../../../src/timestamp/query.ts';
import { describeWith } from '../../fakes/skip.ts';
import { authorityOf, type ChainOptions, makeChain, settableClock, testChain } from './openssl.ts';
import { readToken } from './reader.ts';

describeWith('openssl', 'timestamp authority', () => {
  const made = makeChain();
  afterAll(made.remove);

  const query: TimestampQuery = parseJsonQuery(
    JSON.stringify({ artifactHash: 'B'.repeat(43), hashAlgorithm: 'sha256', certificates: true }),
  );
  const rejected = (failure: string): unknown =>
    expect.objectContaining({ name: 'TimestampRejection', failure });
  const refused = (code: AuthorityErrorCode): unknown =>
    expect.objectContaining({ name: 'AuthorityError', code });
  const MINUTE = 60_000;

  describe('time', () => {
    test('genTime is the clock, cut to the second', async () => {
      const now = Math.floor(Date.now() / 1000) * 1000;
      const authority = authorityOf(made, { clock: settableClock(now + 999) });
      expect(readToken(await authority.timestamp(query)).genTime).toEqual(new Date(now));
    });

    test('a clock that is set back stops the authority until it has caught up', async () => {
      const now = Math.floor(Date.now() / 1000) * 1000;
      const clock = settableClock(now + MINUTE);
      const authority = authorityOf(made, { clock });
      await authority.timestamp(query);
      clock.set(now);
      await expect(authority.timestamp(query)).rejects.toEqual(rejected('timeNotAvailable'));
      clock.set(now + MINUTE - 1);
      await expect(authority.timestamp(query)).rejects.toEqual(rejected('timeNotAvailable'));
      clock.set(now + MINUTE);
      expect(readToken(await authority.timestamp(query)).genTime).toEqual(new Date(now + MINUTE));
    });

    test('a restart remembers through `after`', async () => {
      const authority = authorityOf(made, { after: instantOf(Date.now() + MINUTE) });
      await expect(authority.timestamp(query)).rejects.toEqual(rejected('timeNotAvailable'));
    });

    test.each([
      ['before', -2],
      ['after', 31],
    ])('%s the certificate is valid there is no timestamp', async (_when, days) => {
      const authority = authorityOf(made, { clock: settableClock(Date.now() + days * 1440 * MINUTE) });
      await expect(authority.timestamp(query)).rejects.toEqual(rejected('timeNotAvailable'));
    });

    test('a refused time is not remembered', async () => {
      const clock = settableClock(Date.now() + 31 * 1440 * MINUTE);
      const authority = authorityOf(made, { clock });
      await expect(authority.timestamp(query)).rejects.toEqual(rejected('timeNotAvailable'));
      clock.set(Date.now());
      await authority.timestamp(query);
    });
  });

  describe('serial numbers', () => {
    test.each([0x00, 0xff])('made of bytes %i are positive and have 20 octets', async (byte) => {
      const authority = authorityOf(made, { random: (length) => new Uint8Array(length).fill(byte) });
      const { serialNumber } = readToken(await authority.timestamp(query));
      expect(serialNumber).toHaveLength(20);
      expect((serialNumber[0] ?? 0) & 0xc0).toBe(0x40);
    });
  });

  describe('settings', () => {
    test('another policy is the only one accepted', async () => {
      const authority = authorityOf(made, { policy: '1.2.3.4' as Oid });
      expect(readToken(await authority.timestamp(query)).policy).toBe('1.2.3.4');
      const sigstores = parseJsonQuery(
        JSON.stringify({
          artifactHash: 'B'.repeat(43),
          hashAlgorithm: 'sha256',
          tsaPolicyOID: '1.3.6.1.4.1.57264.2',
        }),
      );
      await expect(authority.timestamp(sigstores)).rejects.toEqual(rejected('unacceptedPolicy'));
    });

    test('accuracy is stated', async () => {
      const authority = authorityOf(made, { accuracy: 5 });
      expect(readToken(await authority.timestamp(query)).accuracy).toBe(5);
    });

    test.each([0, 1.5, 128])('an accuracy of %d is refused', (accuracy) => {
      expect(() => authorityOf(made, { accuracy })).toThrow(/accuracy/);
    });
  });

  test('a key that cannot be used now is a system failure, as an answer too', async () => {
    const sign = (): Promise<never> => Promise.reject(new Error('the token is locked, PIN 1234'));
    const authority = authorityOf({ ...made, signer: { ...made.signer, sign } });
    await expect(authority.timestamp(query)).rejects.toEqual(rejected('systemFailure'));
  });

  test('a bug is no rejection', async () => {
    const random = (): never => {
      throw new RangeError('no entropy');
    };
    await expect(authorityOf(made, { random }).timestamp(query)).rejects.toThrow(RangeError);
  });

  describe('a chain that would give useless timestamps is refused', () => {
    const cases: readonly (readonly [string, ChainOptions, AuthorityErrorCode])[] = [
      ['no extended key usage', { usage: '' }, 'purpose_missing'],
      ['one that is not critical', { usage: 'timeStamping' }, 'purpose_missing'],
      ['a second one', { usage: 'critical,timeStamping,codeSigning' }, 'purpose_missing'],
      ['another one', { usage: 'critical,codeSigning' }, 'purpose_missing'],
      ['a CA', { constraints: 'CA:TRUE' }, 'purpose_excluded'],
      ['an Ed25519 key', { algorithm: 'ed25519' }, 'algorithm_unsupported'],
    ];
    test.each(cases)('%s', (_what, options, code) => {
      expect(() => authorityOf(testChain(options))).toThrow(refused(code));
    });

    test('an empty one', () => {
      expect(() => authorityOf({ ...made, chain: [] })).toThrow(refused('chain_empty'));
    });

    test('one for another key', () => {
      expect(() => authorityOf({ ...made, signer: testChain().signer })).toThrow(refused('key_mismatch'));
    });

    test('one with a link missing', () => {
      const { signer, chain } = testChain({ intermediate: true });
      expect(() => authorityOf({ signer, chain: chain.filter((_, i) => i !== 1) })).toThrow(
        refused('chain_order'),
      );
    });

    test('one without its root', () => {
      expect(() => authorityOf({ ...made, chain: made.chain.slice(0, 1) })).toThrow(refused('chain_order'));
    });

    test('bytes that are no certificate', () => {
      expect(() => authorityOf({ ...made, chain: [Uint8Array.of(1, 2, 3)] })).toThrow(
        refused('certificate_malformed'),
      );
    });
  });
});
