import { sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import type { Authority } from '../../../src/certificate/authority.ts';
import { LintError, type LintVariant, lint } from '../../../src/certificate/lint.ts';
import type { Profile } from '../../../src/certificate/profile.ts';
import { type Bytes, concat, utf8 } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';
import { issue } from '../../../src/issuance.ts';
import { openLine, type TestLine } from '../../fakes/line.ts';
import { keyPair, spkiOf } from '../../vectors/key-pairs.ts';
import { extension } from './made-chain.ts';

const ISSUER = 'https://issuer.example.org';
const opened = await openLine({ now: Date.UTC(2026, 10, 24), issuers: { [ISSUER]: { type: 'email' } } });
const { authority, profile } = opened.line;
afterAll(() => opened.log.close());

/** TBSCertificates that Mayfly itself would sign, one of each variant. */
const GOOD = await goodOnes(opened);

async function goodOnes({ line, token, clock }: TestLine): Promise<Record<LintVariant, Uint8Array>> {
  const challenge = 'dana@example.org';
  const signature = sign('sha256', Buffer.from(challenge), keyPair('P-256').privateKey);
  const key = { kind: 'possession', publicKey: spkiOf('P-256'), signature } as const;
  const request = { token: await token(ISSUER, { email: challenge, email_verified: true, sub: 's' }), key };
  let precertificate = new Uint8Array();
  const log = {
    append: (entry: Parameters<NonNullable<typeof line.log>['append']>[0]) => {
      precertificate = entry.precertificate;
      return opened.log.log.append(entry);
    },
  };
  const logged = await issue(request, { ...line, log }, clock.now());
  const unlogged = await issue(request, { ...line, log: undefined }, clock.now());
  return {
    precertificate: tbsOf(precertificate),
    certificate: tbsOf(logged.der),
    'certificate-without-sct': tbsOf(unlogged.der),
  };
}

function tbsOf(certificate: Uint8Array): Uint8Array {
  const [tbs] = der.readAll(der.readOnly(certificate, der.TAG.sequence).content);
  if (tbs === undefined) throw new Error('no TBSCertificate');
  return tbs.raw;
}

// Where the fields of a TBSCertificate stand.
const [VERSION, SERIAL, ALGORITHM, NAME, VALIDITY, SUBJECT, KEY, EXTENSIONS] = [0, 1, 2, 3, 4, 5, 6, 7];
type Edit = (tbs: Uint8Array) => Uint8Array;

const fieldsOf = (tbs: Uint8Array): Uint8Array[] =>
  der.readAll(der.readOnly(tbs, der.TAG.sequence).content).map(({ raw }) => raw);

/** With other bytes in the place of a field. */
const field =
  (at: number, bytes: Uint8Array): Edit =>
  (tbs) =>
    der.sequence(...fieldsOf(tbs).with(at, bytes));

function extensionsOf(tbs: Uint8Array): Uint8Array[] {
  const explicit = der.readOnly(fieldsOf(tbs)[EXTENSIONS] ?? new Uint8Array(), der.contextTag(3));
  return der.readAll(der.readOnly(explicit.content, der.TAG.sequence).content).map(({ raw }) => raw);
}

/** With other extensions. */
const extensions =
  (change: (all: Uint8Array[]) => readonly Uint8Array[]): Edit =>
  (tbs) =>
    field(EXTENSIONS, der.element(der.contextTag(3), der.sequence(...change(extensionsOf(tbs)))))(tbs);

const isOf = (id: string) => (one: Uint8Array) =>
  Buffer.from(one).includes(Buffer.from(der.objectIdentifier(id)));
const without = (id: string): Edit => extensions((all) => all.filter((one) => !isOf(id)(one)));
const replaced = (id: string, critical: boolean, value: Uint8Array): Edit =>
  extensions((all) => all.map((one) => (isOf(id)(one) ? extension(id, critical, value) : one)));
/** Before the last one, which poison and SCT list must stay. */
const added = (...more: readonly Uint8Array[]): Edit => extensions((all) => all.toSpliced(-1, 0, ...more));

const KU = '2.5.29.15';
const EKU = '2.5.29.37';
const SKI = '2.5.29.14';
const AKI = '2.5.29.35';
const SAN = '2.5.29.17';
const FULCIO = '1.3.6.1.4.1.57264.1';
const POISON = '1.3.6.1.4.1.11129.2.4.3';
const SCTS = '1.3.6.1.4.1.11129.2.4.2';
const NULL = Uint8Array.of(5, 0);
const CODE_SIGNING = der.sequence(der.objectIdentifier('1.3.6.1.5.5.7.3.3'));

const time = (text: string, tag: number = der.TAG.utcTime): Bytes => der.element(tag, utf8(text));
const validity = (...parts: readonly Uint8Array[]): Edit => field(VALIDITY, der.sequence(...parts));
const START = time('261124000000Z');
const END = time('261124001000Z');
const email = (text: string): Bytes => der.element(der.contextTag(1, true), utf8(text));
const san = (...names: readonly Uint8Array[]): Edit => replaced(SAN, true, der.sequence(...names));
const otherName = (id: string, value: Uint8Array): Bytes =>
  der.element(der.contextTag(0), der.objectIdentifier(id), der.element(der.contextTag(0), value));
const sctList = (...bytes: readonly number[]): Edit =>
  replaced(SCTS, false, der.octetString(Uint8Array.from(bytes)));
const text = (value: string): Bytes => der.utf8String(value);
const serial = (...bytes: readonly number[]): Edit =>
  field(SERIAL, der.element(der.TAG.integer, Uint8Array.from(bytes)));
const twenty = (first: number): number[] => [first, ...Array.from({ length: 19 }, () => 7)];

type Row = readonly [rule: string, what: string, edit: Edit, variant?: LintVariant];

const ROWS: readonly Row[] = [
  [
    'strict DER throughout',
    'a length in more bytes than it needs',
    (tbs) => concat(Uint8Array.of(0x30, 0x83, 0), tbs.subarray(2)),
  ],
  [
    'strict DER throughout',
    'an indefinite length',
    (tbs) => concat(Uint8Array.of(0x30, 0x80), tbs.subarray(4)),
  ],
  ['strict DER throughout', 'cut', (tbs) => tbs.subarray(0, -1)],
  ['strict DER throughout', 'nothing', () => new Uint8Array()],
  ['one SEQUENCE and nothing after it', 'a byte after it', (tbs) => concat(tbs, Uint8Array.of(0))],
  ['one SEQUENCE and nothing after it', 'a SET', (tbs) => concat(Uint8Array.of(0x31), tbs.subarray(1))],
  ['version 3', 'version 2', field(VERSION, Uint8Array.of(0xa0, 3, 2, 1, 1))],
  ['version 3', 'no version', (tbs) => der.sequence(...fieldsOf(tbs).slice(1))],
  ['a serial number of 20 octets', '19 of them', serial(...twenty(7).slice(1))],
  ['a serial number of 20 octets', '21 of them', serial(...twenty(7), 7)],
  [
    'a serial number of 20 octets',
    'an OCTET STRING',
    field(SERIAL, der.octetString(Uint8Array.from(twenty(7)))),
  ],
  ['a positive serial number in the fewest octets', 'negative', serial(...twenty(0x80))],
  ['a positive serial number in the fewest octets', 'a zero in front', serial(...twenty(0))],
  [
    "the CA's signature algorithm",
    'another',
    field(ALGORITHM, der.sequence(der.objectIdentifier('1.2.840.10045.4.3.3'))),
  ],
  ["issuer is the CA's subject, byte for byte", 'none', field(NAME, der.sequence())],
  ["issuer is the CA's subject, byte for byte", 'one byte off', (tbs) => flip(tbs, fieldsOf(tbs)[NAME])],
  ['UTCTime or GeneralizedTime', 'a number', validity(der.unsignedInteger(Uint8Array.of(1)), END)],
  ['times with seconds, in UTC', 'no seconds', validity(time('2611240000Z'), END)],
  ['times with seconds, in UTC', 'an offset', validity(START, time('261124001000+0000'))],
  ['times with seconds, in UTC', 'another zone', validity(START, time('261124001000Y'))],
  ['times of digits', 'a letter', validity(time('26112400000aZ'), END)],
  [
    'UTCTime through 2049, GeneralizedTime after',
    'GeneralizedTime too early',
    validity(time('20261124000000Z', der.TAG.generalizedTime), END),
  ],
  ['notBefore and notAfter alone', 'a third time', validity(START, END, END)],
  ['a life of at most ten minutes', 'one second more', validity(START, time('261124001001Z'))],
  ['a life of at most ten minutes', 'none', validity(START, START)],
  ['a life of at most ten minutes', 'backwards', validity(END, START)],
  ["a life within the CA certificate's", 'before it', validity(time('250101000000Z'), time('250101001000Z'))],
  ["a life within the CA certificate's", 'after it', validity(time('491231000000Z'), time('491231001000Z'))],
  [
    'an empty subject',
    'a subject',
    field(SUBJECT, der.sequence(der.set(der.sequence(der.objectIdentifier('2.5.4.3'), text('x'))))),
  ],
  ['an empty subject', 'an empty RDN, as pkijs writes it', field(SUBJECT, Uint8Array.of(0x30, 2, 0x31, 0))],
  ['a subjectPublicKeyInfo', 'none', field(KEY, der.sequence())],
  [
    'extensions under [3], and nothing after them',
    'under [2]',
    field(EXTENSIONS, der.element(der.contextTag(2), der.sequence())),
  ],
  [
    'extensions under [3], and nothing after them',
    'something after them',
    (tbs) => der.sequence(...fieldsOf(tbs), NULL),
  ],
  [
    'one list of extensions',
    'two lists',
    field(EXTENSIONS, der.element(der.contextTag(3), der.sequence(), der.sequence())),
  ],
  ['one list of extensions', 'no list', field(EXTENSIONS, der.element(der.contextTag(3), NULL))],
  ['each extension is a SEQUENCE', 'a SET', extensions((all) => [...all, Uint8Array.of(0x31, 0)])],
  ['each extension has an identifier', 'NULL', added(der.sequence(NULL, der.octetString(NULL)))],
  ['no extension twice', 'keyUsage twice', added(extension(KU, true, Uint8Array.of(3, 2, 7, 0x80)))],
  ['no extension twice', 'an issuer twice', added(extension(`${FULCIO}.8`, false, text(ISSUER)))],
  [
    'critical is TRUE or left out',
    'FALSE',
    added(der.sequence(der.objectIdentifier(`${FULCIO}.9`), Uint8Array.of(1, 1, 0), der.octetString(NULL))),
  ],
  [
    'critical is TRUE or left out',
    'TRUE in another way',
    added(der.sequence(der.objectIdentifier(`${FULCIO}.9`), Uint8Array.of(1, 1, 1), der.octetString(NULL))),
  ],
  [
    'each extension has a value and no more',
    'UTF-8 text',
    added(der.sequence(der.objectIdentifier(`${FULCIO}.9`), text('x'))),
  ],
  [
    'each extension has a value and no more',
    'two values',
    added(der.sequence(der.objectIdentifier(`${FULCIO}.9`), der.octetString(text('x')), NULL)),
  ],
  [
    'no extension outside the profile',
    'basicConstraints',
    added(extension('2.5.29.19', true, Uint8Array.of(0x30, 3, 1, 1, 0xff))),
  ],
  [
    'no extension outside the profile',
    'nameConstraints',
    added(extension('2.5.29.30', true, der.sequence())),
  ],
  [
    'no extension outside the profile',
    'an authority access',
    added(extension('1.3.6.1.5.5.7.1.1', false, der.sequence())),
  ],
  [
    'no extension outside the profile',
    "an OtherName's type",
    added(extension(`${FULCIO}.7`, false, text('x'))),
  ],
  ['no extension outside the profile', 'a number beyond', added(extension(`${FULCIO}.25`, false, text('x')))],
  ['no extension outside the profile', 'number zero', added(extension(`${FULCIO}.0`, false, text('x')))],
  ['no extension outside the profile', 'an arc below', added(extension(`${FULCIO}.9.1`, false, text('x')))],
  [
    'critical keyUsage digitalSignature alone',
    'not critical',
    replaced(KU, false, Uint8Array.of(3, 2, 7, 0x80)),
  ],
  [
    'critical keyUsage digitalSignature alone',
    'certSign as well',
    replaced(KU, true, Uint8Array.of(3, 2, 2, 0x84)),
  ],
  ['extKeyUsage codeSigning alone', 'critical', replaced(EKU, true, CODE_SIGNING)],
  [
    'extKeyUsage codeSigning alone',
    'serverAuth',
    replaced(EKU, false, der.sequence(der.objectIdentifier('1.3.6.1.5.5.7.3.1'))),
  ],
  ['a subjectKeyIdentifier', 'critical', replaced(SKI, true, der.octetString(Uint8Array.of(1)))],
  ['a subjectKeyIdentifier', 'empty', replaced(SKI, false, der.octetString(new Uint8Array()))],
  [
    'values of the type that their extension has',
    'a key identifier that is text',
    replaced(SKI, false, text('x')),
  ],
  [
    'values of the type that their extension has',
    'an authorityCertSerialNumber as well',
    replaced(
      AKI,
      false,
      der.sequence(
        der.element(der.contextTag(0, true), authority.keyIdentifier ?? NULL),
        der.element(der.contextTag(2, true), Uint8Array.of(1)),
      ),
    ),
  ],
  [
    'values of the type that their extension has',
    'a newer Fulcio extension without DER',
    replaced(`${FULCIO}.8`, false, der.octetString(utf8(ISSUER))),
  ],
  [
    'values of the type that their extension has',
    'a PrintableString',
    replaced(`${FULCIO}.8`, false, der.element(0x13, utf8(ISSUER))),
  ],
  [
    "authorityKeyIdentifier is the CA's",
    'critical',
    replaced(AKI, true, der.sequence(der.element(der.contextTag(0, true), authority.keyIdentifier ?? NULL))),
  ],
  [
    "authorityKeyIdentifier is the CA's",
    'another',
    replaced(AKI, false, der.sequence(der.element(der.contextTag(0, true), Uint8Array.of(1, 2, 3)))),
  ],
  ['a critical subjectAltName', 'not critical', replaced(SAN, false, der.sequence(email('a@example.org')))],
  ['exactly one subjectAltName', 'two', san(email('a@example.org'), email('b@example.org'))],
  ['a subjectAltName that is not empty', 'an empty address', san(email(''))],
  [
    'an email, URI or otherName',
    'a DNS name',
    san(der.element(der.contextTag(2, true), utf8('example.org'))),
  ],
  [
    'an email, URI or otherName',
    'an IP address',
    san(der.element(der.contextTag(7, true), Uint8Array.of(127, 0, 0, 1))),
  ],
  ['an email or URI of printable ASCII without blanks', 'a blank', san(email('a b@example.org'))],
  ['an email or URI of printable ASCII without blanks', 'beyond ASCII', san(email('ü@example.org'))],
  ['an email or URI of printable ASCII without blanks', 'a control character', san(email('a\n@example.org'))],
  [
    "an otherName of Fulcio's type, with text",
    'another type',
    san(otherName('1.3.6.1.4.1.311.20.2.3', text('x!y'))),
  ],
  [
    "an otherName of Fulcio's type, with text",
    'an IA5String',
    san(otherName(`${FULCIO}.7`, der.element(0x16, utf8('x!y')))),
  ],
  ["an otherName of Fulcio's type, with text", 'empty', san(otherName(`${FULCIO}.7`, text('')))],
  ['keyUsage, extKeyUsage, subjectKeyIdentifier and subjectAltName', 'no name', without(SAN)],
  ['keyUsage, extKeyUsage, subjectKeyIdentifier and subjectAltName', 'no keyUsage', without(KU)],
  ['keyUsage, extKeyUsage, subjectKeyIdentifier and subjectAltName', 'no extKeyUsage', without(EKU)],
  ['keyUsage, extKeyUsage, subjectKeyIdentifier and subjectAltName', 'no subjectKeyIdentifier', without(SKI)],
  ['an authorityKeyIdentifier', 'none', without(AKI)],
  ['the OpenID issuer in both extensions', 'not in the older', without(`${FULCIO}.1`)],
  ['the OpenID issuer in both extensions', 'not in the newer', without(`${FULCIO}.8`)],
  [
    'the same issuer in both extensions',
    'two',
    replaced(`${FULCIO}.8`, false, text('https://other.example.org')),
  ],
  [
    'Fulcio extensions that are neither critical nor empty',
    'critical',
    added(extension(`${FULCIO}.9`, true, text('x'))),
  ],
  [
    'Fulcio extensions that are neither critical nor empty',
    'empty',
    added(extension(`${FULCIO}.9`, false, text(''))),
  ],
  ['poison in a precertificate and nowhere else', 'none', without(POISON), 'precertificate'],
  [
    'poison in a precertificate and nowhere else',
    'one in a certificate',
    extensions((all) => [...all, extension(POISON, true, NULL)]),
    'certificate-without-sct',
  ],
  ['a critical poison that is NULL', 'not critical', replaced(POISON, false, NULL), 'precertificate'],
  [
    'values of the type that their extension has',
    'a poison of another kind',
    replaced(POISON, true, der.sequence()),
    'precertificate',
  ],
  [
    'a critical poison that is NULL',
    'NULL with content',
    replaced(POISON, true, Uint8Array.of(5, 1, 0)),
    'precertificate',
  ],
  ['an SCT list in a logged certificate and nowhere else', 'none', without(SCTS)],
  [
    'an SCT list in a logged certificate and nowhere else',
    'one where no log is',
    (_) => GOOD.certificate,
    'certificate-without-sct',
  ],
  [
    'an SCT list that is not critical',
    'critical',
    replaced(SCTS, true, der.octetString(Uint8Array.of(0, 3, 0, 1, 9))),
  ],
  ['an SCT list of its stated length', 'too short', sctList(0, 4, 0, 1, 9)],
  ['an SCT list of its stated length', 'empty', sctList()],
  ['exactly one SCT', 'two', sctList(0, 6, 0, 1, 9, 0, 1, 9)],
  ['exactly one SCT', 'none', sctList(0, 2, 0, 0)],
  [
    'poison or SCT list last',
    'something after the poison',
    extensions((all) => [...all, extension(`${FULCIO}.9`, false, text('x'))]),
    'precertificate',
  ],
  [
    'poison or SCT list last',
    'something after the SCT list',
    extensions((all) => [...all, extension(`${FULCIO}.9`, false, text('x'))]),
  ],
];

function flip(tbs: Uint8Array, part: Uint8Array | undefined): Uint8Array {
  const copy = concat(tbs);
  const at = (part?.byteOffset ?? 0) - tbs.byteOffset + (part?.length ?? 0) - 1;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

const ruleOf = (
  tbs: Uint8Array,
  variant: LintVariant,
  a: Authority = authority,
  p: Profile = profile,
): string | undefined => {
  try {
    lint(tbs, variant, a, p);
    return undefined;
  } catch (error) {
    if (error instanceof LintError) return error.rule;
    throw error;
  }
};

test.each(Object.keys(GOOD) as LintVariant[])('a good %s passes', (variant) => {
  expect(ruleOf(GOOD[variant], variant)).toBeUndefined();
});

describe('the rule', () => {
  const cases = ROWS.map(([rule, what, edit, variant = 'certificate']) => ({ rule, what, edit, variant }));
  test.each(cases)('$rule: $what', ({ rule, edit, variant }) => {
    const broken = edit(GOOD[variant]);
    expect(broken).not.toEqual(GOOD[variant]);
    expect(ruleOf(broken, variant)?.replace(/ \(.*\)$/, '')).toBe(rule);
  });
});

test('each rule of the file has fired', () => {
  const source = readFileSync(new URL('../../../src/certificate/lint.ts', import.meta.url), 'utf8');
  const rules = [...source.matchAll(/(?<=demand\()[^;]*?(?:'([^'\n]{8,})'|"([^"\n]{8,})"),?\s*\);/g)].map(
    ([, a, b]) => a ?? b ?? '',
  );
  expect(rules.length).toBeGreaterThan(30);
  const fired = new Set(ROWS.map(([rule]) => rule));
  expect(new Set(rules).difference(fired)).toEqual(new Set());
});

test('no TBSCertificate is taken for one of another variant', () => {
  for (const variant of Object.keys(GOOD) as LintVariant[])
    for (const other of Object.keys(GOOD) as LintVariant[])
      if (other !== variant) expect(ruleOf(GOOD[variant], other)).toBeDefined();
});

test('nor for one of another authority', async () => {
  const other = await openLine({ now: Date.UTC(2026, 10, 24), issuers: {} });
  expect(ruleOf(GOOD.certificate, 'certificate', other.authority, other.line.profile)).toBeDefined();
  await other.log.close();
});

test('a change of any byte of the head, the names or the usages is noticed or harmless', () => {
  const good = GOOD.precertificate;
  let passed = 0;
  for (let at = 0; at < good.length; at++) {
    const copy = concat(good);
    copy[at] = (copy[at] ?? 0) ^ 0x80;
    if (ruleOf(copy, 'precertificate') === undefined) passed += 1;
  }
  // Only serial number, key, key identifier and the text of attributes may hold any byte.
  expect(passed).toBeLessThan(20 + spkiOf('P-256').length + 32 + 2);
});
