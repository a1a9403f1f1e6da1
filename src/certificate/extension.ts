// Extension: where an identity becomes bytes in the certificate (RFC 5280 section 4.2, fulcio docs/oid-info.md).

import { allocate, type Bytes, utf8Size, writeUtf8 } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import type { Attribute } from '../identity/attribute.ts';
import type { SubjectAltName } from '../identity/subject-alt-name.ts';
import type { Sct } from '../log/log.ts';
import { sctListSize, writeSctList } from '../log/sct.ts';
import * as oid from '../oid.ts';
import { extension, extensionHead } from './profile.ts';

// What every leaf repeats is encoded once.
const SAN_HEAD = extensionHead(oid.subjectAltName, true);
const SKI_HEAD = extensionHead(oid.subjectKeyIdentifier, false);
const SCT_LIST_HEAD = extensionHead(oid.ctSctList, false);
const OTHER_NAME_TYPE = der.objectIdentifier(oid.fulcioOtherName);

/** The critical subjectAltName of exactly one name (RFC 5280 section 4.2.1.6). */
export function subjectAltName(name: SubjectAltName): Bytes {
  switch (name.kind) {
    case 'email':
      return plainName(RFC822_NAME, name.value);
    case 'uri':
      return plainName(UNIFORM_RESOURCE_IDENTIFIER, name.value);
    case 'other-name': {
      const value = der.element(der.contextTag(0), der.utf8String(name.value)); // [0] EXPLICIT ANY
      return wrapped(SAN_HEAD, OTHER_NAME, OTHER_NAME_TYPE.length + value.length, (out, at) => {
        out.set(OTHER_NAME_TYPE, at);
        out.set(value, at + OTHER_NAME_TYPE.length);
      });
    }
    default:
      return name satisfies never;
  }
}

// Each name's place in the value: GeneralNames, and the choice of GeneralName.
const RFC822_NAME = [der.TAG.sequence, der.contextTag(1, true)];
const UNIFORM_RESOURCE_IDENTIFIER = [der.TAG.sequence, der.contextTag(6, true)];
const OTHER_NAME = [der.TAG.sequence, der.contextTag(0)];

function plainName(tags: readonly number[], text: string): Bytes {
  return wrapped(SAN_HEAD, tags, utf8Size(text), (out, at) => writeUtf8(out, at, text));
}

/**
 * The extension that begins with `head` and whose value is elements of `tags`, each inside the one before it; `write` puts the
 * innermost one's `size` bytes in place. Written in one pass, as each array costs more than the bytes in it.
 */
function wrapped(
  head: Uint8Array,
  tags: readonly number[],
  size: number,
  write: (out: Uint8Array, at: number) => void,
): Bytes {
  const sizes = tags.map(() => size);
  for (let i = tags.length - 2; i >= 0; i--) sizes[i] = der.elementSize(sizes[i + 1] ?? 0);
  const value = der.elementSize(sizes[0] ?? 0);
  const content = head.length + der.elementSize(value);
  const out = allocate(der.elementSize(content));
  let at = der.writeHeader(out, 0, der.TAG.sequence, content);
  out.set(head, at);
  at = der.writeHeader(out, at + head.length, der.TAG.octetString, value);
  for (const [i, tag] of tags.entries()) at = der.writeHeader(out, at, tag, sizes[i] ?? 0);
  write(out, at);
  return out;
}

/** subjectKeyIdentifier: SHA-256 of the SubjectPublicKeyInfo (RFC 7093 section 2, method 4). */
export function subjectKeyIdentifier(spkiHash: Uint8Array): Bytes {
  return wrapped(SKI_HEAD, OCTETS, spkiHash.length, (out, at) => out.set(spkiHash, at));
}

const OCTETS = [der.TAG.octetString];

/** 1.3.6.1.4.1.57264.1.N but for its last arc, which is below 128 and so takes one byte. */
const ARC = der.objectIdentifier(oid.fulcioArc).subarray(2);
const OID_SIZE = der.elementSize(ARC.length + 1);

/** Up to here the value is the bare text; later ones are DER UTF8Strings. */
const LAST_RAW = 6;

/** Bytes that the identity's attributes take as extensions. */
export function attributesSize(attributes: readonly Attribute[]): number {
  let total = 0;
  for (const { extension: n, value } of attributes) total += der.elementSize(contentSize(n, utf8Size(value)));
  return total;
}

/** Writes the identity's attributes as consecutive extensions, in the order given, at `offset`; returns where they end. */
export function writeAttributes(out: Uint8Array, offset: number, attributes: readonly Attribute[]): number {
  let at = offset;
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
  return at;
}

const valueSize = (n: number, text: number): number => (n <= LAST_RAW ? text : der.elementSize(text));
const contentSize = (n: number, text: number): number => OID_SIZE + der.elementSize(valueSize(n, text));

/** The critical poison that makes a certificate a precertificate (RFC 6962 section 3.1). */
export const POISON: Bytes = extension(oid.ctPoison, true, Uint8Array.of(der.TAG.null, 0));

/** The list of one SCT, doubly wrapped (RFC 6962 section 3.3). */
export function sctListExtension(sct: Sct): Bytes {
  return wrapped(SCT_LIST_HEAD, OCTETS, sctListSize(sct), (out, at) => writeSctList(out, at, sct));
}
