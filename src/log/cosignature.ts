// Cosignature: a witness's word that a checkpoint continues every one it has seen of that log (c2sp.org/tlog-cosignature).

import { type Bytes, equal, fromBase64, fromHex, utf8 } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { TlsReader } from '../encoding/tls.ts';
import type { PublicKey } from '../key/public-key.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import * as oid from '../oid.ts';
import { ED25519_COSIGNATURE, isKeyName, type Note, type NoteSignature, noteKeyId } from './note.ts';

/** Whose cosignatures are believed. */
export interface CosignerKey {
  readonly name: string;
  /** First four bytes of the key's id. */
  readonly keyId: Bytes;
  readonly key: PublicKey;
}

/** Reads a verifier key, `name+hash+base64`. Throws an Error with a sentence for one that is not for Ed25519 cosignatures. */
export function readCosignerKey(sha256: Sha256, text: string): CosignerKey {
  const [, name = '', hash = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  const raw = fromBase64(encoded);
  const type = raw?.[0];
  if (!isKeyName(name) || raw === undefined)
    throw new Error(`"${text}" is no verifier key of the form name+hash+base64`);
  if (type !== ED25519_COSIGNATURE || raw.length !== 33)
    throw new Error(`the key of ${name} is of type ${type}; only Ed25519 cosignatures (type 4) are known`);
  const point = raw.slice(1);
  const keyId = noteKeyId(sha256, name, ED25519_COSIGNATURE, point);
  if (!equal(keyId, fromHex(hash))) throw new Error(`the hash of the key of ${name} does not fit the key`);
  const spki = der.sequence(der.sequence(der.objectIdentifier(oid.ed25519)), der.bitString(point));
  return { name, keyId, key: { type: 'ed25519', point, spki } };
}

/** The bytes that a cosignature signs. `time` is in seconds since the epoch. */
export function cosignatureInput(text: string, time: number): Bytes {
  return utf8(`cosignature/v1\ntime ${time}\n${text}`);
}

/** The signature of that cosigner on the note, if there is one that verifies. */
export async function cosignatureOf(
  note: Note,
  { name, keyId, key }: CosignerKey,
  verifier: SignatureVerifier,
): Promise<NoteSignature | undefined> {
  for (const line of note.signatures) {
    if (line.name !== name || !equal(line.keyId, keyId) || line.signature.length !== 72) continue;
    const time = timeOf(line.signature);
    if (time === undefined) continue;
    const input = cosignatureInput(note.text, time);
    if (await verifier.verify(key, undefined, input, line.signature.slice(8))) return line;
  }
  return undefined;
}

function timeOf(signature: Uint8Array): number | undefined {
  try {
    return new TlsReader(signature).uint(8);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // beyond any time there will be
    throw error;
  }
}
