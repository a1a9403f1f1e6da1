// Extension: where an identity becomes bytes in the certificate (RFC 5280 section 4.2, fulcio docs/oid-info.md).

import { type Bytes, utf8, utf8Size, writeUtf8 } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import type { Attribute } from '../identity/attribute.ts';
import type { SubjectAltName } from '../identity/subject-alt-name.ts';
import * as oid from '../oid.ts';
import { extension, extensionHead } from './profile.ts';

// What every leaf repeats is encoded once.
const SAN_HEAD = extensionHead(oid.subjectAltName, true);
const SKI_HEAD = extensionHead(oid.subjectKeyIdentifier, false);
const SCT_LIST_HEAD = extensionHead(oid.ctSctList, false);
const OTHER_NAME_TYPE = der.objectIdentifier(oid.fulcioOtherName);

/** The critical subjectAltName of exactly one name (RFC 5280 section 4.2.1.6). */
export function subjectAltName(name: SubjectAltName): Bytes {
  return der.sequence(SAN_HEAD, der.octetString(der.sequence(generalName(name))));
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
        OTHER_NAME_TYPE,
        der.element(der.contextTag(0), der.utf8String(name.value)), // value [0] EXPLICIT ANY
      );
    default:
      return name satisfies never;
  }
}

/** subjectKeyIdentifier: SHA-256 of the SubjectPublicKeyInfo (RFC 7093 section 2, method 4). */
export function subjectKeyIdentifier(spkiHash: Uint8Array): Bytes {
  return der.sequence(SKI_HEAD, der.octetString(der.octetString(spkiHash)));
}

/** 1.3.6.1.4.1.57264.1.N but for its last arc, which is below 128 and so takes one byte. */
const ARC = der.objectIdentifier(oid.fulcioArc).subarray(2);
const OID_SIZE = der.elementSize(ARC.length + 1);

/** Up to here the value is the bare text; later ones are DER UTF8Strings. */
const LAST_RAW = 6;

/** The identity's attributes as consecutive extensions, in the order given, written in one pass. */
export function attributeExtensions(attributes: readonly Attribute[]): Bytes {
  let total = 0;
  for (const { extension: n, value } of attributes) total += der.elementSize(contentSize(n, utf8Size(value)));
  const out = new Uint8Array(total);
  let at = 0;
  for (const { extension: n, value } of attributes) {
    const size = utf8Size(value);
    at = der.writeHeader(out, at, der.TAG.sequence, contentSize(n, size));
    at = der.writeHeader(out, at, der.TAG.oid, ARC.length + 1);
    for (let i = 0; i < ARC.length; i++) out[at + i] = ARC[i] ?? 0;
    out[at + ARC.length] = n;
    at = der.writeHeader(out, at + ARC.length + 1, der.TAG.octetString, valueSize(n, size));
    if (n > LAST_RAW) at = der.writeHeader(out, at, der.TAG.utf8String, size);
    at = writeUtf8(out, at, value);
  }
  return out;
}

const valueSize = (n: number, text: number): number => (n <= LAST_RAW ? text : der.elementSize(text));
const contentSize = (n: number, text: number): number => OID_SIZE + der.elementSize(valueSize(n, text));

/** The critical poison that makes a certificate a precertificate (RFC 6962 section 3.1). */
export const POISON: Bytes = extension(oid.ctPoison, true, Uint8Array.of(der.TAG.null, 0));

/** The SCT list, doubly wrapped (RFC 6962 section 3.3). */
export function sctListExtension(list: Uint8Array): Bytes {
  return der.sequence(SCT_LIST_HEAD, der.octetString(der.octetString(list)));
}
