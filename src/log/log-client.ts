// Log client: a log read from outside, as a monitor reads it; believes nothing that it has not recomputed.

import { type Bytes, concat, equal, fromBase64 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { uint, vector } from '../encoding/tls.ts';
import { type PublicKey, parsePublicKey } from '../key/public-key.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import { logIdOf, parseCheckpoint, type SignedTreeHead, treeHeadInput, treeHeadOf } from './checkpoint.ts';
import type { Sct } from './log.ts';
import { leafHash } from './merkle.ts';
import { parseNote } from './note.ts';
import { Prover, rootOfInclusion } from './proof.ts';
import { readDigitallySigned } from './signature.ts';
import { tilePath } from './tile.ts';

/** What a client must know of a log beforehand. */
export interface KnownLog {
  readonly origin: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes;
}

/** An object below the log's monitoring prefix, such as `checkpoint`; undefined for 404. Rejects when nothing answers. */
export type GetObject = (path: string) => Promise<Bytes | undefined>;

/** Something that a log of good faith would not show. */
export class LogMistrust extends Error {
  override readonly name = 'LogMistrust';
}

export interface LogClientOptions {
  readonly log: KnownLog;
  readonly get: GetObject;
  readonly sha256: Sha256;
  readonly verifier: SignatureVerifier;
}

export class LogClient {
  readonly #options: LogClientOptions;
  readonly #key: PublicKey;
  readonly #logId: Bytes;
  readonly #prover: Prover;

  constructor(options: LogClientOptions) {
    this.#options = options;
    this.#key = parsePublicKey(options.log.publicKey);
    this.#logId = logIdOf(options.sha256, options.log.publicKey);
    this.#prover = new Prover(options.sha256, async (address) => {
      const path = tilePath(address);
      const tile = await options.get(path);
      if (tile === undefined) throw new LogMistrust(`the log signed a tree whose ${path} it does not show`);
      return tile;
    });
  }

  /** The newest tree head, its signature verified. Throws a LogMistrust. */
  async treeHead(): Promise<SignedTreeHead> {
    const { get, log, sha256 } = this.#options;
    const bytes = await get('checkpoint');
    const note = bytes === undefined ? undefined : parseNote(bytes);
    if (note === undefined) throw new LogMistrust('the log shows no well-formed checkpoint');
    if (parseCheckpoint(note.text)?.origin !== log.origin)
      throw new LogMistrust('the checkpoint is of another log');
    const head = treeHeadOf(sha256, note, this.#logId);
    if (head === undefined) throw new LogMistrust('the checkpoint carries no signature of the log');
    if (!(await this.#verify(treeHeadInput(head, head.timestamp), head.signature))) {
      throw new LogMistrust("the checkpoint's signature does not verify");
    }
    return head;
  }

  /** Whether the log signed the SCT for the precertificate (RFC 6962 section 3.2). */
  async verifySct(sct: Sct, issuerKeyHash: Uint8Array, tbs: Uint8Array): Promise<boolean> {
    if (!equal(sct.logId, this.#logId)) return false;
    return this.#verify(merkleTreeLeafOf(sct, issuerKeyHash, tbs), sct.signature);
  }

  /** Recomputes the inclusion of the entry behind an SCT in `head`; the number of hashes it took. Throws a LogMistrust. */
  async verifyInclusion(
    head: SignedTreeHead,
    index: number,
    sct: Sct,
    issuerKeyHash: Uint8Array,
    tbs: Uint8Array,
  ): Promise<number> {
    const { sha256 } = this.#options;
    const leaf = leafHash(sha256, merkleTreeLeafOf(sct, issuerKeyHash, tbs));
    const proof = await this.#prover.inclusion(index, head.size);
    const root = rootOfInclusion(sha256, leaf, index, head.size, proof);
    if (root === undefined || !equal(root, head.root)) {
      throw new LogMistrust(
        `the certificate does not stand at index ${index} of the tree that the log signed`,
      );
    }
    return proof.length;
  }

  async #verify(input: Uint8Array, signature: Uint8Array): Promise<boolean> {
    const signed = readDigitallySigned(signature);
    if (signed === undefined) return false;
    return this.#options.verifier.verify(this.#key, 'SHA-256', input, signed.signature);
  }
}

/** MerkleTreeLeaf of a precertificate, rebuilt from the certificate: what the SCT signs, too. */
export function merkleTreeLeafOf(sct: Sct, issuerKeyHash: Uint8Array, tbs: Uint8Array): Bytes {
  return concat(
    uint(0, 1), // v1
    uint(0, 1), // timestamped_entry; in the SCT's input, certificate_timestamp
    uint(sct.timestamp, 8),
    uint(1, 2), // precert_entry
    issuerKeyHash,
    vector(tbs, 3),
    vector(sct.extensions, 2),
  );
}

/** Reads GET /.well-known/mayfly/log.json; undefined when it is not that. */
export function readLogDocument(text: string): (KnownLog & { readonly monitoringUrl: string }) | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { origin, key, monitoring_url: url } = value as Readonly<Record<string, unknown>>;
  const publicKey = typeof key === 'string' ? fromBase64(key) : undefined;
  if (typeof origin !== 'string' || typeof url !== 'string' || publicKey === undefined) return undefined;
  return { origin, publicKey, monitoringUrl: url };
}
