// Canonical: bytes that are DER at every depth, so that whoever parses and writes them again gets the same (X.690 section 10 and 11).

import { DerError, type Element, readAll, readOnly, TAG } from './der.ts';

/** Deeper than any certificate goes. */
const MAX_DEPTH = 32;

const CONSTRUCTED = 0x20;
const UNIVERSAL_LIMIT = 0x40;
const ENUMERATED = 0x0a;

const UTC_TIME = /^\d{12}Z$/;
const GENERALIZED_TIME = /^\d{14}(?:\.\d*[1-9])?Z$/;

/** Throws a DerError unless `bytes` is one element of `tag` and every element in it, as far as the tags show, is DER. */
export function requireCanonical(bytes: Uint8Array, tag: number): void {
  check(readOnly(bytes, tag), 0);
}

function check(element: Element, depth: number): void {
  const { tag, content, start } = element;
  const demand = (met: boolean, what: string): void => {
    if (!met) throw new DerError(what, start);
  };
  if (tag < UNIVERSAL_LIMIT) {
    const collection = (tag & ~CONSTRUCTED) === 0x10 || (tag & ~CONSTRUCTED) === 0x11;
    demand(collection === ((tag & CONSTRUCTED) !== 0), 'primitive and constructed encoding are confused');
  }
  if ((tag & CONSTRUCTED) !== 0) {
    demand(depth < MAX_DEPTH, 'elements are nested too deeply');
    const inner = readAll(content);
    for (const child of inner) check(child, depth + 1);
    if (tag === TAG.set) demand(isAscending(inner), 'SET OF is not in order');
    return;
  }
  switch (tag) {
    case TAG.boolean:
      demand(
        content.length === 1 && (content[0] === 0 || content[0] === 0xff),
        'BOOLEAN is neither 00 nor FF',
      );
      break;
    case TAG.integer:
    case ENUMERATED:
      demand(isMinimal(content), 'INTEGER is not minimal');
      break;
    case TAG.null:
      demand(content.length === 0, 'NULL has content');
      break;
    case TAG.oid:
      demand(isOid(content), 'object identifier is not minimal');
      break;
    case TAG.bitString:
      demand(isBitString(content), 'BIT STRING has unused bits that are not zero');
      break;
    case TAG.utcTime:
      demand(UTC_TIME.test(ascii(content)), 'UTCTime is not YYMMDDHHMMSSZ');
      break;
    case TAG.generalizedTime:
      demand(GENERALIZED_TIME.test(ascii(content)), 'GeneralizedTime is not YYYYMMDDHHMMSSZ');
      break;
    default:
      break;
  }
}

function isMinimal([first, second]: Uint8Array): boolean {
  if (first === undefined) return false;
  if (second === undefined) return true;
  return !(first === 0 && second < 0x80) && !(first === 0xff && second >= 0x80);
}

function isOid(content: Uint8Array): boolean {
  let begins = true;
  for (const byte of content) {
    if (begins && byte === 0x80) return false;
    begins = byte < 0x80;
  }
  return content.length > 0 && begins;
}

function isBitString(content: Uint8Array): boolean {
  const [unused] = content;
  if (unused === undefined || unused > 7) return false;
  if (content.length === 1) return unused === 0;
  return ((content[content.length - 1] ?? 0) & ((1 << unused) - 1)) === 0;
}

function isAscending(elements: readonly Element[]): boolean {
  return elements.every(({ raw }, i) => i === 0 || compare(elements[i - 1]?.raw ?? raw, raw) <= 0);
}

/** As octet strings, the shorter one padded with zeros (X.690 section 11.6). */
function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function ascii(content: Uint8Array): string {
  return String.fromCharCode(...content.subarray(0, 40));
}
