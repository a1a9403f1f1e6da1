// Checkpoint: the signed head of the log (c2sp.org/tlog-checkpoint, c2sp.org/static-ct-api "Checkpoints").

import { type Bytes, base64, concat, fromBase64 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { TlsReader, u8, uint } from '../encoding/tls.ts';
import type { PublicKey } from '../key/public-key.ts';
import type { Signer } from '../key/signer.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import { HASH_SIZE, type TreeHead } from './merkle.ts';
import { ED25519_NOTE, formatNote, type Note, noteKeyId, parseNote, RFC6962_NOTE } from './note.ts';
import { readDigitallySigned, signDigitally } from './signature.ts';

export interface SignedTreeHead extends TreeHead {
  /** Milliseconds since the epoch; strictly rises from one head to the next (RFC 6962 section 3.5). */
  readonly timestamp: number;
  /** digitally-signed over `treeHeadInput`. */
  readonly signature: Bytes;
}

export interface Checkpoint extends TreeHead {
  readonly origin: string;
}

/** LogID: SHA-256 of the log's SubjectPublicKeyInfo (RFC 6962 section 3.2). */
export function logIdOf(sha256: Sha256, publicKey: Uint8Array): Bytes {
  return sha256(publicKey);
}

/** TreeHeadSignature, 50 bytes (RFC 6962 section 3.5). */
export function treeHeadInput({ size, root }: TreeHead, timestamp: number): Bytes {
  // v1, tree_hash
  return concat(u8(0), u8(1), uint(timestamp, 8), uint(size, 8), root);
}

export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${base64(root)}\n`;
}

/** Undefined when the text is no checkpoint. Extension lines are let through, as tlog-checkpoint allows them. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [origin, size, encoded, ...rest] = text.split('\n');
  if (!origin || size === undefined || encoded === undefined || rest.pop() !== '') return undefined;
  const root = fromBase64(encoded);
  if (!/^(0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) return undefined;
  if (root?.length !== HASH_SIZE || base64(root) !== encoded) return undefined;
  return { origin, size: Number(size), root };
}

/** Who signs the checkpoints of one log. */
export interface CheckpointKeys {
  readonly origin: string;
  readonly signer: Signer;
  /** Ed25519, by a key of its own: for verifiers that know only that kind of note signature. */
  readonly cosigner?: Signer | undefined;
}

/** The key id of a log's RFC 6962 note signature: it hashes the LogID, not the key. */
export function treeHeadKeyId(sha256: Sha256, origin: string, logId: Uint8Array): Bytes {
  return noteKeyId(sha256, origin, RFC6962_NOTE, logId);
}

/** The 32 bytes of an Ed25519 key, at the end of its SubjectPublicKeyInfo (RFC 8410 section 4). */
export function ed25519Key(publicKey: Uint8Array): Bytes {
  return publicKey.slice(-32);
}

/** Signs a tree head, and the note that carries it. */
export async function signCheckpoint(
  sha256: Sha256,
  { origin, signer, cosigner }: CheckpointKeys,
  head: TreeHead,
  timestamp: number,
): Promise<{ readonly treeHead: SignedTreeHead; readonly note: Bytes }> {
  const text = checkpointText({ origin, ...head });
  const signature = await signDigitally(signer, treeHeadInput(head, timestamp));
  const signatures = [
    {
      name: origin,
      keyId: treeHeadKeyId(sha256, origin, logIdOf(sha256, signer.publicKey)),
      signature: concat(uint(timestamp, 8), signature),
    },
  ];
  if (cosigner !== undefined) {
    const keyId = noteKeyId(sha256, origin, ED25519_NOTE, ed25519Key(cosigner.publicKey));
    signatures.push({ name: origin, keyId, signature: await cosigner.sign(new TextEncoder().encode(text)) });
  }
  const { size, root } = head;
  return { treeHead: { size, root, timestamp, signature }, note: formatNote({ text, signatures }) };
}

/** The signed tree head inside a checkpoint, as get-sth would give it; undefined when that log did not sign. */
export function treeHeadOf(sha256: Sha256, note: Note, logId: Uint8Array): SignedTreeHead | undefined {
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint === undefined) return undefined;
  const { origin, size, root } = checkpoint;
  const keyId = treeHeadKeyId(sha256, origin, logId);
  for (const line of note.signatures) {
    if (line.name !== origin || line.keyId.some((byte, i) => byte !== keyId[i]) || line.signature.length < 8)
      continue;
    const timestamp = new TlsReader(line.signature.subarray(0, 8)).uint(8);
    return { size, root, timestamp, signature: line.signature.slice(8) };
  }
  return undefined;
}

/** The tree head of a checkpoint by its bytes, if that log signed it; other signatures on the note are passed over. */
export async function verifyCheckpoint(
  verifier: SignatureVerifier,
  sha256: Sha256,
  key: PublicKey,
  checkpoint: Uint8Array,
): Promise<(SignedTreeHead & Checkpoint) | undefined> {
  const note = parseNote(checkpoint);
  const parsed = note && parseCheckpoint(note.text);
  const treeHead = note && treeHeadOf(sha256, note, logIdOf(sha256, key.spki));
  const signed = treeHead && readDigitallySigned(treeHead.signature);
  if (parsed === undefined || treeHead === undefined || signed === undefined) return undefined;
  if (signed.algorithm !== (key.type === 'rsa' ? 'rsa-pkcs1-sha256' : 'ecdsa-p256-sha256')) return undefined;
  const input = treeHeadInput(treeHead, treeHead.timestamp);
  return (await verifier.verify(key, 'SHA-256', input, signed.signature))
    ? { ...treeHead, origin: parsed.origin }
    : undefined;
}
