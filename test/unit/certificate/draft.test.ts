import { sign } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { admit } from '../../../src/admission/admission.ts';
import { bind } from '../../../src/binding.ts';
import { compose, type Draft } from '../../../src/certificate/draft.ts';
import { POISON } from '../../../src/certificate/extension.ts';
import { instantOf } from '../../../src/clock.ts';
import * as der from '../../../src/encoding/der.ts';
import { identify } from '../../../src/identity/identity.ts';
import { authorize } from '../../../src/policy/policy.ts';
import { authenticate } from '../../../src/token/verified-token.ts';
import { openLine } from '../../fakes/line.ts';
import { keyPair, spkiOf } from '../../vectors/key-pairs.ts';

const ISSUER = 'https://issuer.example.org';
const opened = await openLine({ now: Date.UTC(2026, 10, 24), issuers: { [ISSUER]: { type: 'email' } } });
afterAll(() => opened.log.close());
const { line, authority, clock } = opened;

/** Step by step, as an issuance does. */
async function admitted() {
  const email = 'dana@example.org';
  const token = await authenticate(
    await opened.token(ISSUER, { email, email_verified: true }),
    line.trust.issuers,
    line.keysets,
    clock.now(),
  );
  const authorization = authorize(identify(token, line.trust.providers), line.trust.policies);
  const signature = sign('sha256', Buffer.from(email), keyPair('P-256').privateKey);
  const proof = { kind: 'possession', publicKey: spkiOf('P-256'), signature } as const;
  return admit(await bind(authorization, proof, line.keyPolicy), undefined, clock.now());
}
const admission = await admitted();

const draftWith = (random: (length: number) => Uint8Array<ArrayBuffer>, now = clock.now()): Draft =>
  compose(admission, authority, line.profile, random, now);

const fieldsOf = (tbs: Uint8Array): readonly der.Element[] =>
  der.readAll(der.readOnly(tbs, der.TAG.sequence).content);

describe('a serial number', () => {
  test('is 159 of the random bits', () => {
    const { serial } = draftWith((length) => new Uint8Array(length).fill(0xff));
    expect(serial).toEqual(new Uint8Array([0x7f, ...Array.from({ length: 19 }, () => 0xff)]));
  });

  test('is drawn again while its first octet would be cut', () => {
    const drawn = [0x00, 0x80, 0x01];
    const { serial } = draftWith((length) => new Uint8Array(length).fill(drawn.shift() ?? 9));
    expect(serial[0]).toBe(1);
    expect(drawn).toEqual([]);
  });

  test('does not change what the source of random bits gave to others', () => {
    const given: Uint8Array[] = [];
    draftWith((length) => {
      const bytes = new Uint8Array(length).fill(5);
      given.push(bytes);
      return bytes;
    });
    expect(given.map((bytes) => bytes.length)).toEqual([20]);
  });
});

describe('a draft', () => {
  const draft = draftWith((length) => new Uint8Array(length).fill(7));

  test('gives the same TBSCertificate but for its last extension', () => {
    const plain = fieldsOf(draft.tbs());
    const poisoned = fieldsOf(draft.tbs(POISON));
    expect(plain).toHaveLength(8);
    expect(poisoned.slice(0, 7).map(({ raw }) => raw)).toEqual(plain.slice(0, 7).map(({ raw }) => raw));
    const listOf = (fields: readonly der.Element[]) =>
      der.readAll(der.readOnly(der.readOnly(fields[7]?.raw ?? new Uint8Array(), 0xa3).content, 0x30).content);
    expect(
      listOf(poisoned)
        .slice(0, -1)
        .map(({ raw }) => raw),
    ).toEqual(listOf(plain).map(({ raw }) => raw));
    expect(listOf(poisoned).at(-1)?.raw).toEqual(POISON);
  });

  test.each([0, 1, 0x7f, 0x80, 0xff, 0x100, 0xfeff, 0xffff, 0x10000])(
    'has room for a last extension with %i bytes',
    (size) => {
      const last = der.octetString(new Uint8Array(size));
      const tbs = draft.tbs(last);
      expect(der.readOnly(tbs, der.TAG.sequence).raw).toHaveLength(tbs.length);
      expect(tbs.subarray(tbs.length - last.length)).toEqual(last);
    },
  );

  test('starts in whole seconds and lives for ten minutes', () => {
    const late = draftWith((length) => new Uint8Array(length).fill(7), instantOf(clock.now() + 1999));
    expect(late.notBefore).toBe(clock.now() / 1000 + 1);
    expect(late.notAfter - late.notBefore).toBe(600);
  });

  test('is of the admission that it was made for', () => {
    expect(draft.admission).toBe(admission);
  });
});

test.each([
  ['before', () => authority.notBefore - 1],
  ['so late that it would outlive', () => authority.notAfter - 600_000 + 1000],
  ['after', () => authority.notAfter + 1],
])('none is made %s the CA certificate', (_, now) => {
  const make = () => draftWith((length) => new Uint8Array(length).fill(7), instantOf(now()));
  expect(make).toThrow(expect.objectContaining({ code: 'signer_unavailable', retryAfter: 1 }));
});
