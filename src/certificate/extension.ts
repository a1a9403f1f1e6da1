// Extension: where an identity becomes bytes in the certificate (RFC 5280 section 4.2, fulcio docs/oid-info.md).

import { type Bytes, utf8 } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import type { Attribute } from '../identity/attribute.ts';
import type { SubjectAltName } from '../identity/subject-alt-name.ts';
import * as oid from '../oid.ts';
import { extension } from './profile.ts';

/** 1.3.6.1.4.1.57264.1.N without its last arc. */
const ARC = der.objectIdentifier(oid.fulcioArc).subarray(2);

/** Up to here the value is the bare text; later ones are DER UTF8Strings. */
const LAST_RAW = 6;

/** The critical subjectAltName of exactly one name (RFC 5280 section 4.2.1.6). */
export function subjectAltName(name: SubjectAltName): Bytes {
  return extension(oid.subjectAltName, true, der.sequence(generalName(name)));
}

function generalName(name: SubjectAltName): Bytes {
  switch (name.kind) {
    case 'email':
      return der.element(der.contextTag(1, true), utf8(name.value)); // rfc822Name
    case 'uri':
      return der.element(der.contextTag(6, true), utf8(name.value)); // uniformResourceIdentifier
    case 'other-name':
      return der.element(
        der.contextTag(0),
        der.objectIdentifier(oid.fulcioOtherName),
        der.element(der.contextTag(0), der.utf8String(name.value)), // value [0] EXPLICIT ANY
      );
    default:
      return name satisfies never;
  }
}

/** subjectKeyIdentifier: SHA-256 of the SubjectPublicKeyInfo (RFC 7093 section 2, method 4). */
export function subjectKeyIdentifier(spkiHash: Uint8Array): Bytes {
  return extension(oid.subjectKeyIdentifier, false, der.octetString(spkiHash));
}

/** The identity's attributes as consecutive extensions, in the order given, written in one pass. */
export function attributeExtensions(attributes: readonly Attribute[]): Bytes {
  let total = 0;
  const sized = attributes.map(({ extension: n, value }) => {
    const text = utf8(value);
    const wrapped = n <= LAST_RAW ? text.length : der.elementSize(text.length);
    const content = OID_SIZE + der.elementSize(wrapped);
    total += der.elementSize(content);
    return { n, text, wrapped, content };
  });
  const out = new Uint8Array(total);
  let at = 0;
  for (const { n, text, wrapped, content } of sized) {
    at = der.writeHeader(out, at, der.TAG.sequence, content);
    at = der.writeHeader(out, at, der.TAG.oid, ARC.length + 1);
    out.set(ARC, at);
    out[at + ARC.length] = n; // one arc below 128 is one byte
    at = der.writeHeader(out, at + ARC.length + 1, der.TAG.octetString, wrapped);
    if (n > LAST_RAW) at = der.writeHeader(out, at, der.TAG.utf8String, text.length);
    out.set(text, at);
    at += text.length;
  }
  return out;
}

const OID_SIZE = der.elementSize(ARC.length + 1);

/** The critical poison that makes a certificate a precertificate (RFC 6962 section 3.1). */
export const POISON: Bytes = extension(oid.ctPoison, true, Uint8Array.of(der.TAG.null, 0));

/** The SCT list, doubly wrapped (RFC 6962 section 3.3). */
export function sctListExtension(list: Uint8Array): Bytes {
  return extension(oid.ctSctList, false, der.octetString(list));
}
