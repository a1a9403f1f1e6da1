// Lint: the last look at a TBSCertificate before it is signed; reads the bytes anew, trusting nothing that wrote them.

import { equal, fromUtf8 } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import * as oid from '../oid.ts';
import type { Authority } from './authority.ts';
import { LIFETIME_SECONDS, type Profile } from './profile.ts';

/** What may stand as the last extension: a poison, one SCT, or neither where no log is configured. */
export type LintVariant = 'precertificate' | 'certificate' | 'certificate-without-sct';

/** A certificate that must not be signed: always a bug or a broken CA set-up, never a client's fault. */
export class LintError extends Error {
  override readonly name = 'LintError';
  readonly rule: string;
  constructor(rule: string) {
    super(`the certificate breaks the rule: ${rule}`);
    this.rule = rule;
  }
}

function demand(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new LintError(rule);
}

const DIGITAL_SIGNATURE = Uint8Array.of(0x03, 0x02, 0x07, 0x80);
const CODE_SIGNING = der.sequence(der.objectIdentifier(oid.ekuCodeSigning));
const POISON_VALUE = Uint8Array.of(0x05, 0x00);
const VERSION_3 = Uint8Array.of(0xa0, 0x03, 0x02, 0x01, 0x02);
const TRUE = 0xff;

// Extension identifiers by the hexadecimal of their content, as they are read from the bytes.
const ID_CE = '551d';
const FULCIO = '2b0601040183bf3001';
const CT = '2b06010401d679020';
const KEY_USAGE = `${ID_CE}0f`;
const EXT_KEY_USAGE = `${ID_CE}25`;
const SUBJECT_KEY_ID = `${ID_CE}0e`;
const AUTHORITY_KEY_ID = `${ID_CE}23`;
const SUBJECT_ALT_NAME = `${ID_CE}11`;
const SCT_LIST = `${CT}402`;
const POISON = `${CT}403`;

interface Extension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** Throws LintError with the first rule broken: docs/certificate-profile.md lists them all. */
export function lint(tbs: Uint8Array, variant: LintVariant, authority: Authority, profile: Profile): void {
  try {
    lintFields(tbs, variant, authority, profile);
  } catch (error) {
    if (error instanceof der.DerError) throw new LintError(`strict DER throughout (${error.message})`);
    throw error;
  }
}

function lintFields(tbs: Uint8Array, variant: LintVariant, authority: Authority, profile: Profile): void {
  const fields = der.readAll(der.readOnly(tbs, der.TAG.sequence).content);
  const [version, serial, algorithm, issuer, validity, subject, spki, wrapper] = fields;
  demand(wrapper !== undefined && fields.length === 8, 'exactly the eight fields of a version 3 certificate');
  demand(version !== undefined && equal(version.raw, VERSION_3), 'version 3');
  demand(serial !== undefined && serial.tag === der.TAG.integer, 'the serial number is an INTEGER');
  demand(
    serial.content.length === 20 && (serial.content[0] ?? 0x80) < 0x80,
    'a positive serial number of 20 octets',
  );
  demand((serial.content[0] ?? 0) !== 0 || (serial.content[1] ?? 0) >= 0x80, 'a minimal serial number');
  demand(
    algorithm !== undefined && equal(algorithm.raw, profile.signatureAlgorithm),
    "the CA's signature algorithm",
  );
  demand(
    issuer !== undefined && equal(issuer.raw, authority.issuerName),
    "issuer is the CA's subject, byte for byte",
  );
  demand(validity !== undefined, 'a validity');
  lintValidity(validity.content, authority);
  demand(
    subject !== undefined && subject.raw.length === 2 && subject.tag === der.TAG.sequence,
    'an empty subject',
  );
  demand(spki !== undefined && spki.tag === der.TAG.sequence, 'a subjectPublicKeyInfo');
  demand(wrapper.tag === der.contextTag(3), 'extensions under [3]');
  lintExtensions(der.readOnly(wrapper.content, der.TAG.sequence).content, variant, authority);
}

function lintValidity(content: Uint8Array, authority: Authority): void {
  const [notBefore, notAfter, more] = der.readAll(content);
  demand(notBefore !== undefined && notAfter !== undefined && more === undefined, 'notBefore and notAfter');
  const [start, end] = [timeOf(notBefore), timeOf(notAfter)];
  demand(end > start && end - start <= LIFETIME_SECONDS * 1000, 'a life of at most ten minutes');
  demand(
    start >= authority.notBefore - 999 && end <= authority.notAfter,
    "a life within the CA certificate's",
  );
}

/** Milliseconds since the epoch of UTCTime or GeneralizedTime in RFC 5280's only forms (section 4.1.2.5). */
function timeOf(time: der.Element): number {
  const text = fromUtf8(time.content);
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  demand(match !== null, 'times with seconds, in UTC');
  const [, year = '', month, day, hour, minute, second] = match;
  demand(
    year.length === (time.tag === der.TAG.utcTime ? 2 : 4),
    'UTCTime through 2049, GeneralizedTime after',
  );
  const full = year.length === 4 ? Number(year) : Number(year) + (Number(year) < 50 ? 2000 : 1900);
  return Date.UTC(full, Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}

function lintExtensions(content: Uint8Array, variant: LintVariant, authority: Authority): void {
  const found = new Map<string, Extension>();
  let last = '';
  for (const element of der.readAll(content)) {
    demand(element.tag === der.TAG.sequence, 'each extension is a SEQUENCE');
    const parts = der.readAll(element.content);
    const [id, second, third] = parts;
    const critical = parts.length === 3;
    const value = critical ? third : second;
    demand(
      id?.tag === der.TAG.oid && value?.tag === der.TAG.octetString,
      'each extension has an identifier and a value',
    );
    demand(
      !critical || (second?.tag === der.TAG.boolean && second.content[0] === TRUE),
      'critical is TRUE or left out',
    );
    last = idOf(id.content);
    demand(!found.has(last), 'no extension twice');
    found.set(last, { critical, value: value.content });
    if (last.startsWith(FULCIO))
      lintFulcioExtension(id.content[id.content.length - 1] ?? 0, critical, value.content);
  }
  const usage = found.get(KEY_USAGE);
  demand(
    usage?.critical === true && equal(usage.value, DIGITAL_SIGNATURE),
    'critical keyUsage digitalSignature alone',
  );
  const extended = found.get(EXT_KEY_USAGE);
  demand(
    extended?.critical === false && equal(extended.value, CODE_SIGNING),
    'extKeyUsage codeSigning alone',
  );
  demand(found.get(SUBJECT_KEY_ID)?.critical === false, 'a subjectKeyIdentifier');
  if (authority.keyIdentifier !== undefined) {
    const id = found.get(AUTHORITY_KEY_ID)?.value;
    const inner = id === undefined ? undefined : der.readOnly(id, der.TAG.sequence).content.subarray(2);
    demand(
      inner !== undefined && equal(inner, authority.keyIdentifier),
      "authorityKeyIdentifier is the CA's",
    );
  }
  lintName(found.get(SUBJECT_ALT_NAME));
  const issuer = found.get(`${FULCIO}08`)?.value;
  const deprecated = found.get(`${FULCIO}01`)?.value;
  demand(issuer !== undefined && deprecated !== undefined, 'the OpenID issuer in both extensions');
  demand(
    equal(der.readOnly(issuer, der.TAG.utf8String).content, deprecated),
    'the same issuer in both extensions',
  );
  lintTransparency(found, last, variant);
  // keyUsage, extKeyUsage, subjectKeyIdentifier, subjectAltName; the rest is known by its arc
  for (const [id, { critical }] of found) {
    const known = [KEY_USAGE, SUBJECT_ALT_NAME, POISON].includes(id);
    demand(!critical || known, 'no critical extension but keyUsage, subjectAltName and poison');
    demand(id.startsWith(FULCIO) || id.startsWith(CT) || ALLOWED.has(id), 'no extension outside the profile');
  }
}

const ALLOWED = new Set([KEY_USAGE, EXT_KEY_USAGE, SUBJECT_KEY_ID, AUTHORITY_KEY_ID, SUBJECT_ALT_NAME]);

function lintFulcioExtension(n: number, critical: boolean, value: Uint8Array): void {
  demand(!critical && n >= 1 && n <= 24 && n !== 7, 'Fulcio extensions .1 to .24 without .7, none critical');
  demand(value.length > 0, 'no empty Fulcio extension');
  if (n >= 8) demand(der.readOnly(value, der.TAG.utf8String).content.length > 0, 'no empty UTF8String');
}

function lintName(san: Extension | undefined): void {
  demand(san?.critical === true, 'a critical subjectAltName');
  const [name, more] = der.readAll(der.readOnly(san.value, der.TAG.sequence).content);
  demand(name !== undefined && more === undefined, 'exactly one subjectAltName');
  const kinds = [der.contextTag(1, true), der.contextTag(6, true), der.contextTag(0)];
  demand(kinds.includes(name.tag) && name.content.length > 0, 'an email, URI or otherName that is not empty');
  if (name.tag !== der.contextTag(0)) {
    demand(
      name.content.every((byte) => byte > 0x20 && byte < 0x7f),
      'an email or URI of printable ASCII without blanks',
    );
  }
}

function lintTransparency(found: ReadonlyMap<string, Extension>, last: string, variant: LintVariant): void {
  const poison = found.get(POISON);
  const list = found.get(SCT_LIST);
  demand(
    (variant === 'precertificate') === (poison !== undefined),
    'poison in a precertificate and nowhere else',
  );
  demand(
    (variant === 'certificate') === (list !== undefined),
    'an SCT list in a logged certificate and nowhere else',
  );
  if (poison !== undefined)
    demand(last === POISON && equal(poison.value, POISON_VALUE), 'poison last and NULL');
  if (list !== undefined) {
    const { content } = der.readOnly(list.value, der.TAG.octetString);
    const size = (at: number): number => (content[at] ?? 0) * 256 + (content[at + 1] ?? 0);
    demand(last === SCT_LIST && size(0) === content.length - 2, 'the SCT list last and whole');
    demand(size(2) === content.length - 4 && size(2) > 0, 'exactly one SCT');
  }
}

function idOf(content: Uint8Array): string {
  let out = '';
  for (const byte of content) out += byte < 16 ? `0${byte.toString(16)}` : byte.toString(16);
  return out;
}
