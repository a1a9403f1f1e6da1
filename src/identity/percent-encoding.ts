// Percent-encoding: which bytes each part of a URL escapes (RFC 3986 sections 2 and 3, read as Go reads them).
//
// Bytes are held in strings, one character for each, as %FF need not be UTF-8.

import { quote } from './quote.ts';

/** Why a text is no URL, in Go's words. */
export class UrlError extends Error {
  override readonly name = 'UrlError';
}

/** Everything but what stands unescaped in the part. */
const only = (more: string): RegExp => new RegExp(`[^A-Za-z0-9\\-_.~${more}]`, 'g');
export const PATH = only('$&+,/:;=@');
export const HOST = only('!$&\'()*+,;=:\\[\\]<>"');
export const USER = only('$&+,;=');
export const FRAGMENT = only('$&+,/:;=?@!()*');
/** Path and fragment also keep these when they came unescaped. */
export const VALID_PATH = only("$&+,/:;=@!'()*\\[\\]%");
export const VALID_FRAGMENT = only("$&+,/:;=?@!'()*\\[\\]%");

export function percentEncode(bytes: string, usual: RegExp): string {
  return bytes.replace(usual, (byte) => `%${hex(byte)}`);
}

function hex(byte: string): string {
  return byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
}

/** An escape, be it whole or broken. */
const ESCAPE = /%(?:([0-9A-Fa-f]{2})|.{0,2})/gs;
/** The same, or a character that no host may hold. */
const HOST_ESCAPE = /%(?:([0-9A-Fa-f]{2})|.{0,2})|[^A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"\x80-\xff]/gs;

export function percentDecode(text: string): string {
  return text.replace(ESCAPE, (written, digits?: string) => byteOf(written, digits));
}

/** A host escapes bytes beyond ASCII only, and the percent sign. */
export function decodeHost(text: string): string {
  return decodeWhere(text, (byte, written) => byte >= '\x80' || written === '%25');
}

/** A zone escapes whatever could stand in a host as it is, and spaces. */
export function decodeZone(text: string): string {
  return decodeWhere(text, (byte, written) => written === '%25' || byte === ' ' || byte.search(HOST) < 0);
}

function decodeWhere(text: string, allowed: (byte: string, written: string) => boolean): string {
  return text.replace(HOST_ESCAPE, (written, digits?: string) => {
    if (!written.startsWith('%')) throw new UrlError(`invalid character ${quote(written)} in host name`);
    const byte = byteOf(written, digits);
    return allowed(byte, written) ? byte : byteOf(written, undefined);
  });
}

function byteOf(written: string, digits: string | undefined): string {
  if (digits === undefined) throw new UrlError(`invalid URL escape ${quote(fromBytes(written))}`);
  return String.fromCharCode(Number.parseInt(digits, 16));
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function toBytes(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII as a whole
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  let out = '';
  for (const byte of encoder.encode(text)) out += String.fromCharCode(byte);
  return out;
}

export function fromBytes(bytes: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII as a whole
  if (/^[\x00-\x7f]*$/.test(bytes)) return bytes;
  return decoder.decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
}
