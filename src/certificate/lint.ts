// Lint: the last look at a TBSCertificate before it is signed; reads the bytes anew, trusting nothing that wrote them.

import { equal } from '../encoding/bytes.ts';
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

const contentOf = (id: string): Uint8Array => der.objectIdentifier(id).subarray(2);

const VERSION_3 = Uint8Array.of(0xa0, 0x03, 0x02, 0x01, 0x02);
const EMPTY_NAME = Uint8Array.of(0x30, 0x00);
const DIGITAL_SIGNATURE = Uint8Array.of(0x03, 0x02, 0x07, 0x80);
const CODE_SIGNING = der.sequence(der.objectIdentifier(oid.ekuCodeSigning));
const FULCIO_ARC = contentOf(oid.fulcioArc);
const ID_CE = contentOf(oid.keyUsage).subarray(0, 2);
const OTHER_NAME = contentOf(oid.fulcioOtherName);
const POISON = contentOf(oid.ctPoison);
const SCT_LIST = contentOf(oid.ctSctList);

// The extensions of the profile by numbers below 32, so that those found fit one integer: 1.3.6.1.4.1.57264.1.N is N.
const LAST_FULCIO = 24;
const KEY_USAGE = 25;
const EXT_KEY_USAGE = 26;
const SUBJECT_KEY_ID = 27;
const AUTHORITY_KEY_ID = 28;
const SUBJECT_ALT_NAME = 29;
const POISON_NUMBER = 30;
const SCT_LIST_NUMBER = 31;
/** By the N of 2.5.29.N. */
const OF_ID_CE: Readonly<Record<number, number>> = {
  14: SUBJECT_KEY_ID,
  15: KEY_USAGE,
  17: SUBJECT_ALT_NAME,
  35: AUTHORITY_KEY_ID,
  37: EXT_KEY_USAGE,
};

/** Throws LintError with the first rule broken. */
export function lint(tbs: Uint8Array, variant: LintVariant, authority: Authority, profile: Profile): void {
  try {
    lintFields(new der.Cursor(tbs), variant, authority, profile);
  } catch (error) {
    if (error instanceof der.DerError) throw new LintError(`strict DER throughout (${error.message})`);
    throw error;
  }
}

function lintFields(at: der.Cursor, variant: LintVariant, authority: Authority, profile: Profile): void {
  const { bytes } = at;
  at.read(0, bytes.length);
  demand(at.is(der.TAG.sequence) && at.end === bytes.length, 'one SEQUENCE and nothing after it');
  const limit = at.end;
  const next = (): void => void at.read(at.end, limit);
  at.read(at.content, limit);
  demand(at.holds(VERSION_3, at.start), 'version 3');
  next();
  const first = bytes[at.content] ?? 0;
  demand(at.is(der.TAG.integer) && at.end - at.content === 20, 'a serial number of 20 octets');
  demand(first > 0 && first < 0x80, 'a positive serial number in the fewest octets');
  next();
  demand(at.holds(profile.signatureAlgorithm, at.start), "the CA's signature algorithm");
  next();
  demand(at.holds(authority.issuerName, at.start), "issuer is the CA's subject, byte for byte");
  next();
  const { end } = at;
  lintValidity(at, authority);
  at.read(end, limit);
  demand(at.holds(EMPTY_NAME, at.start), 'an empty subject');
  next();
  demand(at.is(der.TAG.sequence) && at.end - at.content > 0, 'a subjectPublicKeyInfo');
  next();
  demand(at.is(der.contextTag(3)) && at.end === limit, 'extensions under [3], and nothing after them');
  at.read(at.content, limit);
  demand(at.is(der.TAG.sequence) && at.end === limit, 'one list of extensions');
  lintExtensions(at, variant, authority);
}

function lintValidity(at: der.Cursor, authority: Authority): void {
  const limit = at.end;
  at.read(at.content, limit);
  const start = timeOf(at);
  at.read(at.end, limit);
  const end = timeOf(at);
  demand(at.end === limit, 'notBefore and notAfter alone');
  demand(end > start && end - start <= LIFETIME_SECONDS * 1000, 'a life of at most ten minutes');
  demand(
    start >= authority.notBefore - 999 && end <= authority.notAfter,
    "a life within the CA certificate's",
  );
}

/** Milliseconds since the epoch of UTCTime or GeneralizedTime in RFC 5280's only forms (section 4.1.2.5). */
function timeOf({ bytes, tag, content, end }: der.Cursor): number {
  const utc = tag === der.TAG.utcTime;
  const size = utc ? 13 : 15;
  demand(utc || tag === der.TAG.generalizedTime, 'UTCTime or GeneralizedTime');
  demand(end - content === size && bytes[end - 1] === 0x5a, 'times with seconds, in UTC');
  const digits = (from: number, count: number): number => {
    let n = 0;
    for (let i = content + from; i < content + from + count; i++) {
      const digit = (bytes[i] ?? 0) - 0x30;
      demand(digit >= 0 && digit <= 9, 'times of digits');
      n = n * 10 + digit;
    }
    return n;
  };
  const short = utc ? digits(0, 2) : 0;
  const year = utc ? short + (short < 50 ? 2000 : 1900) : digits(0, 4);
  demand(utc || year >= 2050, 'UTCTime through 2049, GeneralizedTime after');
  const rest = utc ? 2 : 4;
  const [month, day] = [digits(rest, 2), digits(rest + 2, 2)];
  return Date.UTC(year, month - 1, day, digits(rest + 4, 2), digits(rest + 6, 2), digits(rest + 8, 2));
}

function lintExtensions(at: der.Cursor, variant: LintVariant, authority: Authority): void {
  let found = 0;
  const has = (n: number): boolean => (found & (1 << n)) !== 0;
  let last = 0;
  let deprecatedIssuer: Uint8Array | undefined;
  let issuer: Uint8Array | undefined;
  const limit = at.end;
  for (let offset = at.content; offset < limit; ) {
    at.read(offset, limit);
    offset = at.end;
    demand(at.is(der.TAG.sequence), 'each extension is a SEQUENCE');
    at.read(at.content, offset);
    demand(at.is(der.TAG.oid), 'each extension has an identifier');
    last = numberOf(at);
    demand(!has(last), 'no extension twice');
    found |= 1 << last;
    at.read(at.end, offset);
    const critical = at.is(der.TAG.boolean);
    if (critical) {
      demand(at.end - at.content === 1 && at.bytes[at.content] === 0xff, 'critical is TRUE or left out');
      at.read(at.end, offset);
    }
    demand(at.is(der.TAG.octetString) && at.end === offset, 'each extension has a value and no more');
    lintExtension(last, critical, at, authority);
    if (last === 1) deprecatedIssuer = at.bytes.subarray(at.content, at.end);
    if (last === 8) issuer = at.bytes.subarray(at.content, at.end); // inside its UTF8String by now
  }
  for (const n of [KEY_USAGE, EXT_KEY_USAGE, SUBJECT_KEY_ID, SUBJECT_ALT_NAME])
    demand(has(n), 'keyUsage, extKeyUsage, subjectKeyIdentifier and subjectAltName');
  demand(has(AUTHORITY_KEY_ID) || authority.keyIdentifier === undefined, 'an authorityKeyIdentifier');
  demand(issuer !== undefined && deprecatedIssuer !== undefined, 'the OpenID issuer in both extensions');
  demand(equal(issuer, deprecatedIssuer), 'the same issuer in both extensions');
  demand(
    has(POISON_NUMBER) === (variant === 'precertificate'),
    'poison in a precertificate and nowhere else',
  );
  demand(
    has(SCT_LIST_NUMBER) === (variant === 'certificate'),
    'an SCT list in a logged certificate and nowhere else',
  );
  const expected = {
    precertificate: POISON_NUMBER,
    certificate: SCT_LIST_NUMBER,
    'certificate-without-sct': last,
  };
  demand(last === expected[variant], 'poison or SCT list last');
}

/** The extension's number, when the cursor stands on its identifier. */
function numberOf(at: der.Cursor): number {
  const { bytes, content, end } = at;
  const arc = bytes[end - 1] ?? 0;
  let n: number | undefined;
  if (at.holds(FULCIO_ARC, content, end - 1))
    n = arc >= 1 && arc <= LAST_FULCIO && arc !== 7 ? arc : undefined;
  else if (end - content === 3 && at.holds(ID_CE, content, end - 1)) n = OF_ID_CE[arc];
  else if (at.holds(POISON)) n = POISON_NUMBER;
  else if (at.holds(SCT_LIST)) n = SCT_LIST_NUMBER;
  demand(n !== undefined, 'no extension outside the profile');
  return n;
}

/** The cursor stands on the OCTET STRING; it may be left anywhere inside. */
function lintExtension(n: number, critical: boolean, at: der.Cursor, authority: Authority): void {
  switch (n) {
    case KEY_USAGE:
      demand(critical && at.holds(DIGITAL_SIGNATURE), 'critical keyUsage digitalSignature alone');
      break;
    case EXT_KEY_USAGE:
      demand(!critical && at.holds(CODE_SIGNING), 'extKeyUsage codeSigning alone');
      break;
    case SUBJECT_KEY_ID:
      enter(at, der.TAG.octetString);
      demand(!critical && at.end > at.content, 'a subjectKeyIdentifier');
      break;
    case AUTHORITY_KEY_ID: {
      enter(at, der.TAG.sequence);
      enter(at, der.contextTag(0, true));
      const { keyIdentifier } = authority;
      demand(
        !critical && keyIdentifier !== undefined && at.holds(keyIdentifier),
        "authorityKeyIdentifier is the CA's",
      );
      break;
    }
    case SUBJECT_ALT_NAME:
      demand(critical, 'a critical subjectAltName');
      lintName(at);
      break;
    case POISON_NUMBER:
      enter(at, der.TAG.null);
      demand(critical && at.end === at.content, 'a critical poison that is NULL');
      break;
    case SCT_LIST_NUMBER:
      demand(!critical, 'an SCT list that is not critical');
      lintSctList(at);
      break;
    default:
      if (n >= 8) enter(at, der.TAG.utf8String);
      demand(!critical && at.end > at.content, 'Fulcio extensions that are neither critical nor empty');
  }
}

/** Steps into the one element that fills the current one. */
function enter(at: der.Cursor, tag: number): void {
  const limit = at.end;
  at.read(at.content, limit);
  demand(at.is(tag) && at.end === limit, 'values of the type that their extension has');
}

function lintName(at: der.Cursor): void {
  const limit = at.end;
  enter(at, der.TAG.sequence);
  at.read(at.content, limit);
  demand(at.end === limit, 'exactly one subjectAltName');
  demand(at.end > at.content, 'a subjectAltName that is not empty');
  if (at.is(der.contextTag(0))) {
    lintOtherName(at);
    return;
  }
  demand(at.is(der.contextTag(1, true)) || at.is(der.contextTag(6, true)), 'an email, URI or otherName');
  for (let i = at.content; i < at.end; i++) {
    const byte = at.bytes[i] ?? 0;
    demand(byte > 0x20 && byte < 0x7f, 'an email or URI of printable ASCII without blanks');
  }
}

/** type-id, then the value under [0] (RFC 5280 section 4.2.1.6). */
function lintOtherName(at: der.Cursor): void {
  const limit = at.end;
  at.read(at.content, limit);
  const isFulcios = at.is(der.TAG.oid) && at.holds(OTHER_NAME);
  at.read(at.end, limit);
  const isLast = at.is(der.contextTag(0)) && at.end === limit;
  at.read(at.content, limit);
  const isText = at.is(der.TAG.utf8String) && at.end === limit && at.end > at.content;
  demand(isFulcios && isLast && isText, "an otherName of Fulcio's type, with text");
}

/** SignedCertificateTimestampList of one: two lengths, each the rest (RFC 6962 section 3.3). */
function lintSctList(at: der.Cursor): void {
  enter(at, der.TAG.octetString);
  const { bytes, content, end } = at;
  const size = (from: number): number => (bytes[from] ?? 0) * 256 + (bytes[from + 1] ?? 0);
  demand(size(content) === end - content - 2, 'an SCT list of its stated length');
  demand(size(content + 2) === end - content - 4 && size(content + 2) > 0, 'exactly one SCT');
}
