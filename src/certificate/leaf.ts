// Leaf: an issued certificate read back, for people and for checks against the log.

import { type Bytes, concat, fromUtf8 } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import { TlsReader } from '../encoding/tls.ts';
import type { SubjectAltName } from '../identity/subject-alt-name.ts';
import type { Sct } from '../log/log.ts';
import * as oid from '../oid.ts';

export interface Leaf {
  readonly serial: Bytes;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  readonly san: SubjectAltName | undefined;
  /** All names, where Mayfly and Fulcio write one; undefined for each of a kind that they do not write. */
  readonly names: readonly (SubjectAltName | undefined)[];
  /** Values of 1.3.6.1.4.1.57264.1.N by N. */
  readonly attributes: ReadonlyMap<number, string>;
  /** Each embedded SCT; Mayfly writes exactly one. */
  readonly scts: readonly Sct[];
  /** TBSCertificate without the SCT list: what the log has signed for (RFC 6962 section 3.2). */
  readonly precertTbs: Bytes;
}

/** Throws DerError, RangeError or, for text that is not UTF-8, TypeError when the bytes are no certificate. */
export function readLeaf(certificate: Uint8Array): Leaf {
  const [tbs] = der.readAll(der.readOnly(certificate, der.TAG.sequence).content);
  if (tbs === undefined) throw new der.DerError('an empty certificate', 0);
  const fields = der.readAll(tbs.content);
  const [, serial, , , validity, , spki] = fields;
  const wrapper = fields.find(({ tag }) => tag === der.contextTag(3));
  if (serial === undefined || validity === undefined || spki === undefined || wrapper === undefined) {
    throw new der.DerError('fields of a version 3 certificate are missing', tbs.start);
  }
  const [notBefore, notAfter] = der.readAll(validity.content);
  const extensions = der.readAll(der.readOnly(wrapper.content, der.TAG.sequence).content);
  const read = extensions.map(readExtension);
  const attributes = new Map<number, string>();
  for (const { id, value } of read) {
    const n = id.startsWith(`${oid.fulcioArc}.`) ? Number(id.slice(oid.fulcioArc.length + 1)) : 0;
    if (n >= 1 && n <= 6) attributes.set(n, fromUtf8(value));
    else if (n >= 8) attributes.set(n, fromUtf8(der.readOnly(value, der.TAG.utf8String).content));
  }
  const sctList = read.find(({ id }) => id === oid.ctSctList);
  const san = read.find(({ id }) => id === oid.subjectAltName);
  const names =
    san === undefined ? [] : der.readAll(der.readOnly(san.value, der.TAG.sequence).content).map(readName);
  const kept = extensions.filter((_, i) => read[i]?.id !== oid.ctSctList).map(({ raw }) => raw);
  const head = fields.filter((field) => field !== wrapper).map(({ raw }) => raw);
  return {
    serial: concat(serial.content),
    notBefore: timeOf(notBefore),
    notAfter: timeOf(notAfter),
    spki: concat(spki.raw),
    san: names[0],
    names,
    attributes,
    scts: sctList === undefined ? [] : readSctList(sctList.value),
    precertTbs: der.sequence(...head, der.element(der.contextTag(3), der.sequence(...kept))),
  };
}

function readExtension(extension: der.Element): { id: string; value: Uint8Array } {
  const parts = der.readAll(extension.content);
  const [id] = parts;
  const value = parts[parts.length - 1];
  if (id === undefined || value === undefined) throw new der.DerError('an empty extension', extension.start);
  return { id: der.oidOf(id.content), value: value.content };
}

function readName(name: der.Element): SubjectAltName | undefined {
  if (name.tag === der.contextTag(1, true)) return { kind: 'email', value: fromUtf8(name.content) };
  if (name.tag === der.contextTag(6, true)) return { kind: 'uri', value: fromUtf8(name.content) };
  const [type, explicit] = name.tag === der.contextTag(0) ? der.readAll(name.content) : [];
  if (type === undefined || explicit === undefined || der.oidOf(type.content) !== oid.fulcioOtherName)
    return undefined;
  return { kind: 'other-name', value: fromUtf8(der.readOnly(explicit.content, der.TAG.utf8String).content) };
}

function readSctList(value: Uint8Array): Sct[] {
  const list = new TlsReader(new TlsReader(der.readOnly(value, der.TAG.octetString).content).vector(2));
  const scts: Sct[] = [];
  while (!list.done) {
    const sct = new TlsReader(list.vector(2));
    if (sct.uint(1) !== 0) throw new RangeError('an SCT that is not version 1');
    const logId = concat(sct.bytes(32));
    const timestamp = sct.uint(8);
    const extensions = concat(sct.vector(2));
    const algorithm = sct.bytes(2);
    const size = sct.bytes(2);
    const signature = concat(algorithm, size, sct.bytes((size[0] ?? 0) * 256 + (size[1] ?? 0)));
    scts.push({ logId, timestamp, extensions, signature });
  }
  return scts;
}

function timeOf(time: der.Element | undefined): number {
  const text = time === undefined ? '' : fromUtf8(time.content);
  const full = text.length === 13 ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
  const [year, month, day, hour, minute, second] = [0, 4, 6, 8, 10, 12].map((at) =>
    Number(full.slice(at, at === 0 ? 4 : at + 2)),
  );
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}
