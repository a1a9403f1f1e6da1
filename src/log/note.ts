// Note: a text with signature lines under it (c2sp.org/signed-note).

import { type Bytes, base64, concat, fromBase64, fromUtf8, hex, utf8 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';

/** Signature types that signed-note registers. */
export const ED25519_NOTE = 0x01;
export const ED25519_COSIGNATURE = 0x04;
export const RFC6962_NOTE = 0x05;

/** Verifiers need accept no more lines than this, and signers should not write more. */
const MAX_SIGNATURES = 64;
const DASH = '\u2014';

export interface NoteSignature {
  /** Key name: no spaces, no plus. */
  readonly name: string;
  /** First four bytes of the key's id. */
  readonly keyId: Bytes;
  readonly signature: Bytes;
}

export interface Note {
  /** Ends in a line feed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** SHA-256(name LF type key)[:4]. */
export function noteKeyId(sha256: Sha256, name: string, type: number, key: Uint8Array): Bytes {
  return sha256(concat(utf8(`${name}\n`), Uint8Array.of(type), key)).slice(0, 4);
}

/** The text form of a verifier key: name+id+key. `key` is what stands after the type byte. */
export function verifierKey(name: string, keyId: Uint8Array, type: number, key: Uint8Array): string {
  return `${name}+${hex(keyId)}+${base64(concat(Uint8Array.of(type), key))}`;
}

export function isKeyName(name: string): boolean {
  return name !== '' && !/[\s+]/u.test(name);
}

export function formatNote({ text, signatures }: Note): Bytes {
  return utf8(`${text}\n${signatures.map(signatureLine).join('')}`);
}

function signatureLine({ name, keyId, signature }: NoteSignature): string {
  return `${DASH} ${name} ${base64(concat(keyId, signature))}\n`;
}

/** The note with further signatures under those that it has. */
export function addSignatures(note: Uint8Array, signatures: readonly NoteSignature[]): Bytes {
  return concat(note, utf8(signatures.map(signatureLine).join('')));
}

/** Undefined when the bytes are no note. */
export function parseNote(bytes: Uint8Array): Note | undefined {
  let all: string;
  try {
    all = fromUtf8(bytes);
  } catch {
    return undefined;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: signed-note forbids them all but line feed
  if (/[\u0000-\u0009\u000b-\u001f]/.test(all)) return undefined;
  const split = all.lastIndexOf('\n\n');
  if (split < 0 || !all.endsWith('\n')) return undefined;
  const lines = all.slice(split + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) return undefined;
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const [dash, name, encoded, ...rest] = line.split(' ');
    if (dash !== DASH || name === undefined || encoded === undefined || rest.length > 0) return undefined;
    const raw = /[-_]/.test(encoded) ? undefined : fromBase64(encoded);
    if (!isKeyName(name) || raw === undefined || raw.length < 5) return undefined;
    signatures.push({ name, keyId: raw.slice(0, 4), signature: raw.slice(4) });
  }
  return { text: all.slice(0, split + 1), signatures };
}
