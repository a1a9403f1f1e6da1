// Bytes: joining, comparing, and the text forms of byte strings.

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of one block that small arrays share. */
const BLOCK = 2 ** 15;
/** Arrays up to here live on the engine's own heap, and cost least there. */
const ON_HEAP = 64;

let block: ArrayBuffer = new ArrayBuffer(0);
let taken = 0;

/**
 * Zeroed bytes, as of `new Uint8Array`, but for a few hundred of them in a third of the time: they share a block, as Node's small Buffers do.
 * For what is soon let go of, as one array kept keeps its block; and nobody may look at its `buffer`.
 */
export function allocate(length: number): Bytes {
  if (length <= ON_HEAP || length > BLOCK / 4) return new Uint8Array(length);
  if (taken + length > block.byteLength) {
    block = new ArrayBuffer(BLOCK);
    taken = 0;
  }
  const out = new Uint8Array(block, taken, length);
  taken += (length + 7) & ~7;
  return out;
}

export function utf8(text: string): Bytes {
  if (text.length > BLOCK / 4) return encoder.encode(text) as Bytes; // never shared memory, though workerd's types leave it open
  const out = allocate(utf8Size(text));
  writeUtf8(out, 0, text);
  return out;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII as a whole
const NOT_ASCII = /[^\x00-\x7f]/;

/** Bytes that `text` takes as UTF-8; half of a surrogate pair counts as U+FFFD, as `utf8` writes it. */
export function utf8Size(text: string): number {
  // The engine looks for the one character that is not ASCII faster than a loop does.
  if (!NOT_ASCII.test(text)) return text.length;
  let size = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    size += unit < 0x800 ? 1 : 2;
    const pair = unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (pair) i++; // four bytes for two units: the two counted, and two more
  }
  return size;
}

/** Writes `text` as UTF-8 at `offset` of a buffer with room for it; returns where it ends. Claims are short and mostly ASCII. */
export function writeUtf8(out: Uint8Array, offset: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return offset + encoder.encodeInto(text, out.subarray(offset)).written;
    out[offset + i] = unit;
  }
  return offset + text.length;
}

/** Throws a TypeError when the bytes are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return strictDecoder.decode(bytes);
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = allocate(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Not constant-time: for public values only. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The unsigned big-endian integer that the bytes write; 0 for none. */
export function unsigned(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const head = bytes.length % 8;
  let out = 0n;
  for (let i = 0; i < head; i++) out = (out << 8n) | BigInt(view.getUint8(i));
  for (let i = head; i < bytes.length; i += 8) out = (out << 64n) | view.getBigUint64(i);
  return out;
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

export function hex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += HEX[byte];
  return out;
}

export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0 || /[^0-9a-f]/i.test(text)) throw new TypeError('not hexadecimal');
  return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
}

// Uint8Array.toBase64 is in Node 26 and workerd but not in Node 24, hence the second way.
const native = 'toBase64' in Uint8Array.prototype;

/** Standard base64 with padding (RFC 4648 section 4). */
export function base64(bytes: Uint8Array): string {
  if (native) return bytes.toBase64();
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** URL-safe base64 without padding (RFC 4648 section 5). */
export function base64url(bytes: Uint8Array): string {
  return base64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Of the URL-safe alphabet without padding, as JOSE writes it (RFC 7515 section 2). Throws a SyntaxError for anything else. */
export function fromBase64Url(text: string): Bytes {
  if (text.length % 4 === 1 || !/^[A-Za-z0-9_-]*$/.test(text)) throw new SyntaxError('not base64url');
  if (native) return decoded(text, 'base64url');
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}

function decoded(text: string, alphabet: 'base64' | 'base64url'): Bytes {
  const out = allocate(Math.floor((text.length * 3) / 4));
  out.setFromBase64(text, { alphabet });
  return out;
}

/** Either alphabet, padding optional, as protojson reads `bytes` fields. Undefined when it is not base64. */
export function fromBase64(text: string): Bytes | undefined {
  const standard =
    text.includes('-') || text.includes('_') ? text.replaceAll('-', '+').replaceAll('_', '/') : text;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(standard)) return undefined;
  const bare = standard.replace(/=+$/, '');
  if (bare.length % 4 === 1 || (bare.length !== standard.length && standard.length % 4 !== 0))
    return undefined;
  if (native) return decoded(bare, 'base64');
  return Uint8Array.from(atob(bare), (c) => c.charCodeAt(0));
}
