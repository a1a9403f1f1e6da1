// What the compact encoder writes, PKIjs reads: every field of the leaf and of its precertificate, for any identity.

import { createHash, createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import { fromBER, ObjectIdentifier, OctetString, Sequence, Utf8String } from 'asn1js';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { instantOf } from '../../src/clock.ts';
import { issue } from '../../src/issuance.ts';
import type { PrecertEntry } from '../../src/log/log.ts';
import { attributeExtensions } from '../fakes/attribute-extensions.ts';
import { FULCIO, type ReadCertificate, readCertificate, SAN, SCT_LIST } from '../fakes/certificate.ts';
import { openLine, type TestLine } from '../fakes/line.ts';
import { keyPair, spkiOf } from '../vectors/key-pairs.ts';

const FULL = process.env['MAYFLY_TESTS_FULL'] !== undefined;
if (FULL) vi.setConfig({ testTimeout: 1_200_000 });

const NOW = Date.UTC(2026, 10, 24, 12, 0, 0, 500);
const POISON = '1.3.6.1.4.1.11129.2.4.3';

const CI = 'https://ci.example.org';
const PEOPLE = 'https://people.example.org';
const USERS = 'https://users.example.org';

/** Of Fulcio's names; the last is made of its claim eight times, as no token could hold that much. */
const TEMPLATES: Readonly<Record<number, string>> = {
  2: 'github-workflow-trigger',
  3: 'github-workflow-sha',
  4: 'github-workflow-name',
  5: 'github-workflow-repository',
  6: 'github-workflow-ref',
  9: 'build-signer-uri',
  10: 'build-signer-digest',
  11: 'runner-environment',
  12: 'source-repository-uri',
  13: 'source-repository-digest',
  14: 'source-repository-ref',
  15: 'source-repository-identifier',
  16: 'source-repository-owner-uri',
  17: 'source-repository-owner-identifier',
  18: 'build-config-uri',
  19: 'build-config-digest',
  20: 'build-trigger',
  21: 'run-invocation-uri',
  22: 'source-repository-visibility-at-signing',
  23: 'deployment-environment',
};
const EIGHTFOLD = 23;

function lineAt(now: number): Promise<TestLine> {
  const extensions = Object.fromEntries(
    Object.entries(TEMPLATES).map(([n, name]) => [
      name,
      Number(n) === EIGHTFOLD ? `{{ .x${n} }}`.repeat(8) : `x${n}`,
    ]),
  );
  return openLine({
    now,
    issuers: {
      [CI]: { type: 'ci-provider', 'ci-provider': 'any' },
      [PEOPLE]: { type: 'email', 'issuer-claim': '$.up' },
      [USERS]: { type: 'username', 'subject-domain': 'users.example.org' },
    },
    metadata: {
      any: {
        'default-template-values': Object.fromEntries(Object.keys(TEMPLATES).map((n) => [`x${n}`, ''])),
        'extension-templates': extensions,
        'subject-alternative-name-template': 'https://{{ .name }}',
      },
    },
  });
}

interface Outcome {
  readonly leaf: ReadCertificate;
  readonly precertificate: ReadCertificate;
  readonly entry: PrecertEntry;
}

/** Through the whole line, on whose way to the log the entry is seen. */
async function walk(
  { line, log, token, clock }: TestLine,
  issuer: string,
  claims: Readonly<Record<string, unknown>>,
  challenge: string,
): Promise<Outcome> {
  let entry: PrecertEntry | undefined;
  const watched = {
    append: (given: PrecertEntry) => {
      entry = given;
      return log.log.append(given);
    },
  };
  const signature = sign('sha256', Buffer.from(challenge), keyPair('P-256').privateKey);
  const key = { kind: 'possession', publicKey: spkiOf('P-256'), signature } as const;
  const request = { token: await token(issuer, claims), key };
  const { der } = await issue(request, { ...line, log: watched }, clock.now());
  if (entry === undefined) throw new Error('nothing was logged');
  return { leaf: readCertificate(der), precertificate: readCertificate(entry.precertificate), entry };
}

/** What holds for every leaf, whatever it says. */
function expectSound({ leaf, precertificate, entry }: Outcome, { authority }: TestLine): void {
  const ca = new X509Certificate(authority.chain[0] ?? new Uint8Array());
  for (const one of [leaf, precertificate]) {
    expect(one.version).toBe(3);
    expect(one.subject).toBe('3000');
    expect(one.issuer).toBe(Buffer.from(authority.issuerName).toString('hex'));
    expect(one.spki).toBe(Buffer.from(spkiOf('P-256')).toString('hex'));
    expect(one.notAfter - one.notBefore).toBe(600_000);
    expect(one.x509.verify(ca.publicKey)).toBe(true);
    expect(one.x509.checkIssued(ca)).toBe(true);
    expect(one.serial).toMatch(/^(?!00)[0-7][0-9a-f]{39}$/);
    expect(one.extension('2.5.29.15')).toEqual({ id: '2.5.29.15', critical: true, value: '03020780' });
    expect(one.extension('2.5.29.37')).toEqual({
      id: '2.5.29.37',
      critical: false,
      value: '300a06082b06010505070303',
    });
    expect(one.extension('2.5.29.14')?.value).toBe(
      `0420${createHash('sha256').update(spkiOf('P-256')).digest('hex')}`,
    );
    expect(one.extension('2.5.29.35')?.value).toBe(
      `30168014${Buffer.from(authority.keyIdentifier ?? []).toString('hex')}`,
    );
    expect(one.extension(SAN)?.critical).toBe(true);
    expect(one.names).toHaveLength(1);
  }
  // The two differ in poison and SCT list alone, each the last extension.
  expect(precertificate.serial).toBe(leaf.serial);
  expect(precertificate.notBefore).toBe(leaf.notBefore);
  expect(precertificate.extensions.slice(0, -1)).toEqual(leaf.extensions.slice(0, -1));
  expect(precertificate.extensions.at(-1)).toEqual({ id: POISON, critical: true, value: '0500' });
  expect(leaf.extensions.at(-1)).toMatchObject({ id: SCT_LIST, critical: false });
  expectPromise(leaf, entry);
}

/** The SCT is the signature of the log over what was logged (RFC 6962 section 3.2), read by hand. */
function expectPromise(leaf: ReadCertificate, { tbs, issuerKeyHash }: PrecertEntry): void {
  const value = Buffer.from(leaf.extensions.at(-1)?.value ?? '', 'hex');
  const list = value.subarray(value[1] === 0x81 ? 3 : value[1] === 0x82 ? 4 : 2);
  const sct = list.subarray(4);
  expect([list.readUInt16BE(0), list.readUInt16BE(2)]).toEqual([list.length - 2, list.length - 4]);
  const extensionsEnd = 43 + sct.readUInt16BE(41);
  const signed = Buffer.concat([
    Buffer.of(0, 0),
    sct.subarray(33, 41),
    Buffer.of(0, 1),
    issuerKeyHash,
    Buffer.of(tbs.length >> 16, tbs.length >> 8, tbs.length),
    tbs,
    sct.subarray(41, extensionsEnd),
  ]);
  expect(sct.subarray(1, 33).toString('hex')).toBe(createHash('sha256').update(current.logKey).digest('hex'));
  expect(sct.subarray(extensionsEnd, extensionsEnd + 2)).toEqual(Buffer.of(4, 3));
  const key = createPublicKey({ key: Buffer.from(current.logKey), format: 'der', type: 'spki' });
  expect(verify('sha256', signed, key, sct.subarray(extensionsEnd + 4))).toBe(true);
}

const current = await lineAt(NOW);

/** Lengths in bytes at which DER writes its lengths otherwise, with what stands around them. */
const EDGES = [0x7b, 0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0xfb, 0xfc, 0xfd, 0xff, 0x100, 0x101];
const around = fc.constantFrom(...EDGES, 1, 2);

/** Of exactly so many bytes in UTF-8. */
const sized = (length: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom('a', 'Z', '/', ' ', '\n', 'é', '☃', '𝄞', '\u0000', '"'), {
      maxLength: length,
      size: 'max',
    })
    .map((characters) => {
      let text = '';
      for (const one of characters) if (Buffer.byteLength(text + one) <= length) text += one;
      return text + 'x'.repeat(length - Buffer.byteLength(text));
    });

const value = fc.oneof(
  around.chain(sized),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constant(''),
);
const pathText = (length: number): string => 'p'.repeat(length);

describe('a leaf says what the token says', () => {
  test('with any set of extensions', async () => {
    const numbers = Object.keys(TEMPLATES).filter((n) => Number(n) !== EIGHTFOLD);
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...numbers), value),
        value,
        fc.nat(300),
        async (texts, sub, length) => {
          const claims = Object.fromEntries(Object.entries(texts).map(([n, text]) => [`x${n}`, text]));
          const outcome = await walk(current, CI, { sub, name: `h/${pathText(length)}`, ...claims }, sub);
          expectSound(outcome, current);
          const wellFormed = Object.entries({ ...texts, 1: CI, 8: CI, 24: sub })
            .map(([n, text]): [string, string] => [n, Buffer.from(text).toString()])
            .filter(([, text]) => text !== '');
          expect(outcome.leaf.attributes).toEqual(Object.fromEntries(wellFormed));
          expect(outcome.leaf.names).toEqual([{ kind: 'uri', value: `https://h/${pathText(length)}` }]);
          const order = outcome.leaf.extensions
            .filter(({ id }) => id.startsWith(`${FULCIO}.`))
            .map(({ id }) => Number(id.slice(FULCIO.length + 1)));
          expect(order).toEqual(order.toSorted((a, b) => a - b));
          expect(
            outcome.leaf.extensions.every(({ id, critical }) => !id.startsWith(FULCIO) || !critical),
          ).toBe(true);
        },
      ),
      { numRuns: FULL ? 2000 : 120 },
    );
  });

  test.each([0x3fff, 0x7000])('with an extension of about %i bytes', async (length) => {
    const part = 'y'.repeat(length >> 3);
    const outcome = await walk(current, CI, { sub: 's', name: 'h/', x23: part }, 's');
    expectSound(outcome, current);
    expect(outcome.leaf.attributes['23']).toBe(part.repeat(8));
  });

  test('unless it would be larger than a log takes', async () => {
    const claims = { sub: 's', name: 'h/', x23: 'y'.repeat(4000) };
    await expect(walk(current, CI, claims, 's')).rejects.toMatchObject({
      code: 'identity_unencodable',
      status: 400,
    });
  });

  test.each([0xff, 0x100, 0xfffe, 0xffff, 0x10000, 0x10001, 0x100000])(
    'in an extension of %i bytes, were there room for it',
    (size) => {
      for (const extension of [5, 23]) {
        const text = 'z'.repeat(size);
        const parsed = fromBER(attributeExtensions([{ extension, value: text }]));
        const [id, octets] = parsed.result instanceof Sequence ? parsed.result.valueBlock.value : [];
        expect(parsed.offset).toBeGreaterThan(size);
        expect(id instanceof ObjectIdentifier && id.getValue()).toBe(`${FULCIO}.${extension}`);
        if (!(octets instanceof OctetString)) throw new Error('no OCTET STRING');
        const content = octets.valueBlock.valueHexView;
        const inner = extension === 5 ? Buffer.from(content).toString() : fromBER(content).result;
        expect(inner instanceof Utf8String ? inner.getValue() : inner).toBe(text);
      }
    },
  );

  test('with extensions that fill the token', async () => {
    const claims = Object.fromEntries(Object.keys(TEMPLATES).map((n) => [`x${n}`, 'é'.repeat(240)]));
    const outcome = await walk(current, CI, { sub: 's', name: 'h/', ...claims }, 's');
    expectSound(outcome, current);
    expect(Object.keys(outcome.leaf.attributes)).toHaveLength(23);
  });

  test('with a URI of any length', async () => {
    for (const length of [...EDGES, 0x2000]) {
      const name = `h/${pathText(length - 'https://h/'.length)}`;
      const outcome = await walk(current, CI, { sub: 's', name }, 's');
      expectSound(outcome, current);
      expect(outcome.leaf.names).toEqual([{ kind: 'uri', value: `https://${name}` }]);
      expect(outcome.leaf.names[0]?.value).toHaveLength(length);
    }
  });

  test('with an email address of any length, and any issuer', async () => {
    await fc.assert(
      fc.asyncProperty(around, value, async (length, issuer) => {
        const email = `${'e'.repeat(Math.max(1, length - 12))}@example.org`;
        const up = issuer === '' ? 'u' : issuer;
        const outcome = await walk(current, PEOPLE, { email, email_verified: true, up }, email);
        expectSound(outcome, current);
        expect(outcome.leaf.names).toEqual([{ kind: 'email', value: email }]);
        const text = Buffer.from(up).toString();
        expect(outcome.leaf.attributes).toEqual({ 1: text, 8: text });
      }),
      { numRuns: FULL ? 500 : 60 },
    );
  });

  test('with a user name of any length and script', async () => {
    const user = fc
      .oneof(around.chain(sized), fc.string({ unit: 'grapheme', maxLength: 30 }))
      .map((text) => text.replace(/[!@\p{Cc}]/gu, '-'));
    await fc.assert(
      fc.asyncProperty(user, async (sub) => {
        const outcome = await walk(current, USERS, { sub }, sub);
        expectSound(outcome, current);
        expect(outcome.leaf.names).toEqual([{ kind: 'other-name', value: `${sub}!users.example.org` }]);
      }),
      { numRuns: FULL ? 500 : 60 },
    );
  });
});

describe('time', () => {
  const second = 1000;
  const turn = Date.UTC(2050, 0, 1);
  test.each<[string, number, readonly string[]]>([
    ['the last minutes of 2049', turn - 601 * second, ['UTCTime', 'UTCTime']],
    ['a life that ends as 2050 begins', turn - 600 * second, ['UTCTime', 'GeneralizedTime']],
    ['a life over the turn', turn - second, ['UTCTime', 'GeneralizedTime']],
    ['the first second of 2050', turn, ['GeneralizedTime', 'GeneralizedTime']],
    ['a leap day', Date.UTC(2028, 1, 29, 23, 55), ['UTCTime', 'UTCTime']],
    [
      'the end of a century that has no leap day',
      Date.UTC(2100, 1, 28, 23, 59, 59),
      ['GeneralizedTime', 'GeneralizedTime'],
    ],
    ['a moment within a second', NOW + 999, ['UTCTime', 'UTCTime']],
  ])('%s', async (_, now, types) => {
    const then = await lineAt(now);
    const outcome = await walkAt(then, now);
    const { leaf } = outcome;
    expect(leaf.timeTypes).toEqual(types);
    expect(leaf.notBefore).toBe(now - (now % second));
    expect(new Date(leaf.x509.validFrom).getTime()).toBe(leaf.notBefore);
    expect(new Date(leaf.x509.validTo).getTime()).toBe(leaf.notBefore + 600_000);
    await then.log.close();
  });
});

async function walkAt(then: TestLine, now: number): Promise<Outcome> {
  const claims = { sub: 's', name: 'h/', nbf: Math.floor(now / 1000) };
  const outcome = await walk(then, CI, claims, 's');
  const { leaf, precertificate } = outcome;
  expect(precertificate.extensions.slice(0, -1)).toEqual(leaf.extensions.slice(0, -1));
  return outcome;
}

test('a leaf never outlives its authority', async () => {
  const { line, token, authority } = current;
  const signature = sign('sha256', Buffer.from('s'), keyPair('P-256').privateKey);
  const key = { kind: 'possession', publicKey: spkiOf('P-256'), signature } as const;
  const at = async (now: number) => {
    const exp = Math.floor(now / 1000) + 60;
    return issue({ token: await token(CI, { sub: 's', name: 'h/', exp }), key }, line, instantOf(now));
  };
  const last = authority.notAfter - 600_000;
  expect(readCertificate((await at(last)).der).notAfter).toBe(authority.notAfter);
  for (const now of [last + 1000, authority.notAfter, authority.notBefore - 1000])
    await expect(at(now)).rejects.toMatchObject({ code: 'signer_unavailable', status: 503 });
});
