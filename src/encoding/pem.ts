// PEM: textual encoding of DER (RFC 7468).

import { type Bytes, base64, fromBase64 } from './bytes.ts';

export interface PemBlock {
  readonly label: string;
  readonly der: Bytes;
}

/** One block, lines of 64 characters, with its final newline. */
export function encodePem(label: string, der: Uint8Array): string {
  return `${encodePemLines(label, der, '\n')}\n`;
}

/** One block with `newline` between its lines and none after the last. */
export function encodePemLines(label: string, der: Uint8Array, newline: string): string {
  const body = base64(der);
  let lines = '';
  for (let at = 0; at < body.length; at += 64) lines += body.slice(at, at + 64) + newline;
  return `-----BEGIN ${label}-----${newline}${lines || newline}-----END ${label}-----`;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----([A-Za-z0-9+/=\s]*)-----END \1-----/g;

/** Every well-formed block in order; text around blocks is skipped, as is a block whose base64 is broken. */
export function decodePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const [, label = '', body = ''] of text.matchAll(BLOCK)) {
    const der = fromBase64(body.replace(/\s+/g, ''));
    if (der !== undefined) blocks.push({ label, der });
  }
  return blocks;
}
