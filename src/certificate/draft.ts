// Draft: the TBSCertificate of one issuance before poison or SCT list, so that both variants come from the same bytes.

import type { Admission } from '../admission/admission.ts';
import { type Instant, secondsOf } from '../clock.ts';
import { allocate, type Bytes, concat } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import type { Random } from '../encoding/random.ts';
import { Problem } from '../problem.ts';
import type { Authority } from './authority.ts';
import { attributesSize, subjectAltName, subjectKeyIdentifier, writeAttributes } from './extension.ts';
import { LIFETIME_SECONDS, type Profile } from './profile.ts';

const VERSION_3 = der.element(der.contextTag(0), Uint8Array.of(der.TAG.integer, 1, 2));
const EMPTY_SUBJECT = der.sequence();
const EXTENSIONS = der.contextTag(3);

/** Bytes; templates can repeat a claim, so the size of tokens is no bound. The log takes certificates of 32 KiB. */
const MAX_SIZE = 30_000;

export class Draft {
  /** version up to subjectPublicKeyInfo: the TBSCertificate's content before its extensions. */
  readonly #head: Bytes;
  readonly #extensions: Bytes;
  readonly admission: Admission;
  /** The serial number's 20 octets, the first below 0x80. */
  readonly serial: Bytes;
  /** Seconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;

  private constructor(
    admission: Admission,
    head: Bytes,
    extensions: Bytes,
    serial: Bytes,
    notBefore: number,
    notAfter: number,
  ) {
    this.admission = admission;
    this.#head = head;
    this.#extensions = extensions;
    this.serial = serial;
    this.notBefore = notBefore;
    this.notAfter = notAfter;
  }

  /**
   * Throws Problem `signer_unavailable` when the leaf would outlive its CA, and `identity_unencodable` when it would be
   * larger than a log takes.
   */
  static of(
    admission: Admission,
    authority: Authority,
    profile: Profile,
    random: Random,
    now: Instant,
  ): Draft {
    const { authorization, spki, spkiHash } = admission.binding;
    const { identity } = authorization;
    const notBefore = secondsOf(now);
    const notAfter = notBefore + LIFETIME_SECONDS;
    if (notAfter * 1000 > authority.notAfter || now < authority.notBefore) {
      throw new Problem('signer_unavailable', {
        hint: 'The CA certificate is not valid for the whole life of a new certificate; the operator must renew it.',
      });
    }
    const serial = serialNumber(random);
    const head = concat(
      VERSION_3,
      der.element(der.TAG.integer, serial),
      profile.signatureAlgorithm,
      profile.issuerName,
      validityFrom(notBefore),
      EMPTY_SUBJECT,
      spki,
    );
    const { attributes } = identity;
    const named = [
      profile.usage,
      subjectKeyIdentifier(spkiHash),
      profile.authorityKeyIdentifier,
      subjectAltName(identity.san),
    ];
    const namedSize = named.reduce((sum, { length }) => sum + length, 0);
    const extensions = allocate(namedSize + attributesSize(attributes));
    let at = 0;
    for (const one of named) {
      extensions.set(one, at);
      at += one.length;
    }
    writeAttributes(extensions, at, attributes);
    if (head.length + extensions.length > MAX_SIZE) {
      throw new Problem('identity_unencodable', {
        message: 'the certificate would be too large',
        hint: `The claims that are written into a certificate may take about ${MAX_SIZE} bytes together.`,
      });
    }
    return new Draft(admission, head, extensions, serial, notBefore, notAfter);
  }

  /** TBSCertificate, DER, with `last` (poison or SCT list) as its last extension where given. */
  tbs(last?: Uint8Array): Bytes {
    const extra = last?.length ?? 0;
    const list = this.#extensions.length + extra;
    const explicit = der.elementSize(list);
    const length = this.#head.length + der.elementSize(explicit);
    const out = allocate(der.elementSize(length));
    let at = der.writeHeader(out, 0, der.TAG.sequence, length);
    out.set(this.#head, at);
    at = der.writeHeader(out, at + this.#head.length, EXTENSIONS, explicit);
    at = der.writeHeader(out, at, der.TAG.sequence, list);
    out.set(this.#extensions, at);
    if (last !== undefined) out.set(last, at + this.#extensions.length);
    return out;
  }
}

export const compose = Draft.of;

let validitySecond = -1;
let validity: Bytes = new Uint8Array();

/** The validity that begins at `notBefore`; issuances of one second share it. */
function validityFrom(notBefore: number): Bytes {
  if (notBefore !== validitySecond) {
    validity = der.sequence(der.time(notBefore), der.time(notBefore + LIFETIME_SECONDS));
    validitySecond = notBefore;
  }
  return validity;
}

/** 159 random bits; drawn again in the rare case that DER would cut a leading zero octet (RFC 5280 section 4.1.2.2). */
function serialNumber(random: Random): Bytes {
  for (;;) {
    const serial = random(20);
    const first = (serial[0] ?? 0) & 0x7f;
    serial[0] = first;
    if (first !== 0) return serial;
  }
}
