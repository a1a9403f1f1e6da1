// TLS presentation language: big-endian integers and length-prefixed vectors (RFC 8446 section 3).

import { type Bytes, concat } from './bytes.ts';

export const u8 = (n: number): Bytes => Uint8Array.of(n);

/** Writes an unsigned integer of `size` bytes at `offset`; returns where it ends. Exact up to 2^53, else a RangeError. */
export function putUint(out: Uint8Array, offset: number, n: number, size: number): number {
  let rest = n;
  for (let i = offset + size - 1; i >= offset; i--) {
    out[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  if (rest !== 0 || n < 0 || !Number.isSafeInteger(n))
    throw new RangeError(`${n} does not fit ${size} bytes`);
  return offset + size;
}

/** Unsigned integer of `size` bytes. */
export function uint(n: number, size: number): Bytes {
  const out = new Uint8Array(size);
  putUint(out, 0, n, size);
  return out;
}

/** A vector with a length prefix of `size` bytes. */
export function vector(content: Uint8Array, size: number): Bytes {
  return concat(uint(content.length, size), content);
}

/** Reads a structure front to back; every read past the end throws a RangeError. */
export class TlsReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#offset;
  }

  get done(): boolean {
    return this.#offset === this.#bytes.length;
  }

  bytes(length: number): Uint8Array {
    const end = this.#offset + length;
    if (end > this.#bytes.length)
      throw new RangeError(`structure ends at ${this.#bytes.length}, wanted ${end}`);
    const out = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return out;
  }

  uint(size: number): number {
    let out = 0;
    for (const byte of this.bytes(size)) out = out * 256 + byte;
    if (!Number.isSafeInteger(out)) throw new RangeError('integer above 2^53');
    return out;
  }

  vector(size: number): Uint8Array {
    return this.bytes(this.uint(size));
  }
}
