// DER: the small part of X.690 that certificates and keys need, written compactly and read strictly.

import { allocate, type Bytes, utf8 } from './bytes.ts';

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Bytes that a definite length of `n` takes (X.690 section 8.1.3). */
export function lengthSize(n: number): number {
  if (n < 0x80) return 1;
  if (n < 0x100) return 2;
  if (n < 0x10000) return 3;
  if (n < 0x1000000) return 4;
  return 5;
}

/** Writes tag and length at `offset`; returns the offset of the content. */
export function writeHeader(out: Uint8Array, offset: number, tag: number, length: number): number {
  out[offset] = tag;
  if (length < 0x80) {
    out[offset + 1] = length;
    return offset + 2;
  }
  const size = lengthSize(length) - 1;
  out[offset + 1] = 0x80 | size;
  for (let i = 0; i < size; i++) out[offset + 2 + i] = length >>> (8 * (size - 1 - i));
  return offset + 2 + size;
}

/** Size of a whole element with `n` bytes of content and a one-byte tag. */
export function elementSize(n: number): number {
  return 1 + lengthSize(n) + n;
}

export function element(tag: number, ...content: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of content) length += part.length;
  const out = allocate(elementSize(length));
  let offset = writeHeader(out, 0, tag, length);
  for (const part of content) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

export const sequence = (...content: readonly Uint8Array[]): Bytes => element(TAG.sequence, ...content);
export const set = (...content: readonly Uint8Array[]): Bytes => element(TAG.set, ...content);
/** SET OF: the elements in ascending order of their encodings (X.690 section 11.6). */
export const setOf = (...elements: readonly Uint8Array[]): Bytes => set(...elements.toSorted(compare));
export const octetString = (content: Uint8Array): Bytes => element(TAG.octetString, content);
export const utf8String = (text: string): Bytes => element(TAG.utf8String, utf8(text));
/** A BIT STRING of whole bytes. */
export const bitString = (content: Uint8Array): Bytes => element(TAG.bitString, Uint8Array.of(0), content);

/** What stands before the `length` bytes of such a BIT STRING. */
export function bitStringHead(length: number): Bytes {
  const out = new Uint8Array(2 + lengthSize(length + 1));
  writeHeader(out, 0, TAG.bitString, length + 1); // and the last byte: no unused bits
  return out;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A context-specific tag; constructed unless said otherwise (X.690 section 8.14). */
export function contextTag(n: number, primitive = false): number {
  return (primitive ? 0x80 : 0xa0) | n;
}

/** A non-negative INTEGER from big-endian magnitude bytes, in the fewest octets. */
export function unsignedInteger(magnitude: Uint8Array): Bytes {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  const body = magnitude.subarray(start);
  if (body.length === 0) return element(TAG.integer, Uint8Array.of(0));
  return (body[0] ?? 0) >= 0x80 ? element(TAG.integer, Uint8Array.of(0), body) : element(TAG.integer, body);
}

/** OBJECT IDENTIFIER from dotted form (X.690 section 8.19). */
export function objectIdentifier(dotted: string): Bytes {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const out: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let n = Math.floor(arc / 128); n > 0; n = Math.floor(n / 128)) groups.unshift((n % 128) | 0x80);
    out.push(...groups);
  }
  return element(TAG.oid, Uint8Array.from(out));
}

const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);

/** Validity time: UTCTime through 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). */
export function time(secondsSinceEpoch: number): Bytes {
  const at = new Date(secondsSinceEpoch * 1000);
  const year = at.getUTCFullYear();
  const rest = `${two(at.getUTCMonth() + 1)}${two(at.getUTCDate())}${two(at.getUTCHours())}${two(at.getUTCMinutes())}${two(at.getUTCSeconds())}Z`;
  if (year >= 1950 && year < 2050) return element(TAG.utcTime, utf8(`${two(year % 100)}${rest}`));
  return element(TAG.generalizedTime, utf8(`${String(year).padStart(4, '0')}${rest}`));
}

/** What the reader found wrong; `offset` counts from the start of the outermost buffer. */
export class DerError extends Error {
  override readonly name = 'DerError';
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset}`);
    this.offset = offset;
  }
}

/**
 * Reads one element after another of a buffer under DER's rules (definite, minimal lengths; one-byte tags) and
 * allocates nothing: after `read`, the fields tell of the element just read, as offsets.
 */
export class Cursor {
  readonly bytes: Uint8Array;
  tag = 0;
  start = 0;
  /** Where the content begins. */
  content = 0;
  end = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Throws DerError when no whole element lies between `offset` and `limit`; returns the element's end. */
  read(offset: number, limit: number): number {
    const { bytes } = this;
    const tag = bytes[offset];
    const first = bytes[offset + 1];
    if (tag === undefined || first === undefined || offset + 2 > limit)
      throw new DerError('truncated header', offset);
    if ((tag & 0x1f) === 0x1f) throw new DerError('multi-byte tag', offset);
    let content = offset + 2;
    let length = first;
    if (first >= 0x80) {
      const size = first & 0x7f;
      if (size === 0 || size > 4) throw new DerError('indefinite or oversized length', offset);
      length = 0;
      for (let i = 0; i < size; i++) {
        const byte = bytes[content + i];
        if (byte === undefined || content + i >= limit) throw new DerError('truncated length', offset);
        length = length * 256 + byte;
      }
      if (lengthSize(length) !== size + 1) throw new DerError('length is not minimal', offset);
      content += size;
    }
    if (content + length > limit) throw new DerError('content runs past its container', offset);
    this.tag = tag;
    this.start = offset;
    this.content = content;
    this.end = content + length;
    return this.end;
  }

  is(tag: number): boolean {
    return this.tag === tag;
  }

  /** Whether bytes `from` to `to` (exclusive) are `expected`. */
  holds(expected: Uint8Array, from = this.content, to = this.end): boolean {
    if (to - from !== expected.length) return false;
    for (let i = 0; i < expected.length; i++) if (this.bytes[from + i] !== expected[i]) return false;
    return true;
  }
}

/** A view of one element; nothing is copied. */
export interface Element {
  readonly tag: number;
  /** Tag, length and content. */
  readonly raw: Uint8Array;
  readonly content: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Reads one element at `offset` as Cursor does. */
export function readElement(bytes: Uint8Array, offset = 0, limit = bytes.length): Element {
  const { tag, start, content, end } = readAt(bytes, offset, limit);
  return { tag, raw: bytes.subarray(start, end), content: bytes.subarray(content, end), start, end };
}

function readAt(bytes: Uint8Array, offset: number, limit: number): Cursor {
  const cursor = new Cursor(bytes);
  cursor.read(offset, limit);
  return cursor;
}

/** The elements that fill `content` exactly. */
export function readAll(content: Uint8Array): Element[] {
  const out: Element[] = [];
  for (let offset = 0; offset < content.length; ) {
    const next = readElement(content, offset);
    out.push(next);
    offset = next.end;
  }
  return out;
}

/** One element of the expected tag that fills `bytes` exactly. */
export function readOnly(bytes: Uint8Array, tag: number): Element {
  const found = readElement(bytes);
  if (found.tag !== tag)
    throw new DerError(`tag 0x${found.tag.toString(16)} where 0x${tag.toString(16)} belongs`, 0);
  if (found.end !== bytes.length) throw new DerError('trailing bytes', found.end);
  return found;
}

/** Big-endian magnitude of a non-negative INTEGER, without leading zeros; empty for 0. */
export function magnitudeOf(integer: Element): Uint8Array {
  const [first, second] = integer.content;
  if (integer.tag !== TAG.integer || first === undefined) throw new DerError('no INTEGER', integer.start);
  if (first >= 0x80) throw new DerError('negative INTEGER', integer.start);
  if (first !== 0) return integer.content;
  if (second !== undefined && second < 0x80) throw new DerError('INTEGER is not minimal', integer.start);
  return integer.content.subarray(1);
}

/** What a BIT STRING without unused bits holds. */
export function octetsOf(bits: Element): Uint8Array {
  if (bits.tag !== TAG.bitString || bits.content[0] !== 0)
    throw new DerError('no BIT STRING of whole octets', bits.start);
  return bits.content.subarray(1);
}

/** Dotted form of the content of an OBJECT IDENTIFIER. */
export function oidOf(content: Uint8Array): string {
  const last = content[content.length - 1];
  if (last === undefined || last >= 0x80) throw new DerError('truncated object identifier', 0);
  const arcs: number[] = [];
  let value = 0;
  for (const [i, byte] of content.entries()) {
    if (value === 0 && byte === 0x80) throw new DerError('object identifier arc is not minimal', i);
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER) throw new DerError('object identifier arc is too large', i);
    if (byte < 0x80) {
      if (arcs.length === 0) {
        const top = Math.min(2, Math.floor(value / 40));
        arcs.push(top, value - top * 40);
      } else arcs.push(value);
      value = 0;
    }
  }
  return arcs.join('.');
}
