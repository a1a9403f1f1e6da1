// ECDSA signature: its two encodings, DER (RFC 3279 section 2.2.3) and r || s (IEEE P1363), and the choice between them.

import { type Bytes, concat } from '../encoding/bytes.ts';
import {
  DerError,
  type Element,
  magnitudeOf,
  readAll,
  readElement,
  readOnly,
  sequence,
  TAG,
  unsignedInteger,
} from '../encoding/der.ts';

/** The DER form of r || s, whose halves are equally long; integers come out in the fewest octets. */
export function toDer(p1363: Uint8Array): Bytes {
  const half = p1363.length / 2;
  return sequence(unsignedInteger(p1363.subarray(0, half)), unsignedInteger(p1363.subarray(half)));
}

/** The form r || s, `size` bytes each; undefined when `der` is not precisely two non-negative integers that fit. */
export function toP1363(der: Uint8Array, size: number): Bytes | undefined {
  const [r, s] = readPair(der) ?? [];
  if (r === undefined || s === undefined || r.length > size || s.length > size) return undefined;
  return concat(new Uint8Array(size - r.length), r, new Uint8Array(size - s.length), s);
}

/** r || s of P-521, the longest that is accepted. */
const LONGEST = 132;

/**
 * The DER form of a signature that came in either encoding; undefined when it is in neither. Bytes that begin as a DER pair of integers
 * are held to be one, and have to be one to the last byte; what else has an even length is taken for r || s, split in the middle.
 */
export function eitherToDer(signature: Uint8Array): Uint8Array | undefined {
  if (beginsAsPair(signature)) return readPair(signature) === undefined ? undefined : signature;
  const { length } = signature;
  return length > 0 && length <= LONGEST && length % 2 === 0 ? toDer(signature) : undefined;
}

/** Magnitudes of r and s. */
function readPair(der: Uint8Array): readonly [Uint8Array, Uint8Array] | undefined {
  return orUndefined(() => {
    const [r, s, extra] = readAll(readOnly(der, TAG.sequence).content);
    return r === undefined || s === undefined || extra !== undefined
      ? undefined
      : [magnitudeOf(r), magnitudeOf(s)];
  });
}

/** What Go's encoding/asn1 takes for a pair: it overlooks bytes after the second integer and after the sequence. */
function beginsAsPair(signature: Uint8Array): boolean {
  const begins = orUndefined(() => {
    const { tag, content } = readElement(signature);
    const first = readElement(content);
    return tag === TAG.sequence && isInteger(first) && isInteger(readElement(content, first.end));
  });
  return begins === true;
}

/** An INTEGER in the fewest octets, negative or not (X.690 section 8.3.2). */
function isInteger({ tag, content }: Element): boolean {
  const [first, second] = content;
  if (tag !== TAG.integer || first === undefined) return false;
  return second === undefined || first !== (second < 0x80 ? 0x00 : 0xff);
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof DerError) return undefined;
    throw cause;
  }
}
