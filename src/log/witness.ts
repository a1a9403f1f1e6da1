// Witness: one who cosigns checkpoints that continue what it has seen of a log, asked over HTTP (c2sp.org/tlog-witness).

import { type Bytes, base64, concat, fromUtf8, utf8 } from '../encoding/bytes.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import { type CosignerKey, cosignatureOf } from './cosignature.ts';
import { type NoteSignature, parseNote } from './note.ts';
import type { Posted, Poster } from './poster.ts';

export type WitnessFailure =
  | 'unreachable'
  /** It does not know the log, its key, or the form of the request. */
  | 'refused'
  | 'malformed'
  /** It holds that this tree does not continue the one that it has seen. */
  | 'inconsistent'
  /** It has seen a larger tree than there is here: the storage is older than what was published. */
  | 'ahead';

export class WitnessError extends Error {
  override readonly name = 'WitnessError';
  readonly code: WitnessFailure;

  constructor(code: WitnessFailure, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** A checkpoint to be cosigned. */
export interface Cosignable {
  readonly size: number;
  /** The signed note. */
  readonly checkpoint: Bytes;
  /** Proves the tree of `first` entries to be the beginning of that of `second`. */
  consistency(first: number, second: number): Promise<readonly Bytes[]>;
}

export interface WitnessOptions {
  /** For people. */
  readonly name: string;
  /** Submission prefix: what stands before `add-checkpoint`; with or without a trailing slash. */
  readonly url: string;
  readonly key: CosignerKey;
  readonly poster: Poster;
  readonly verifier: SignatureVerifier;
}

/** Milliseconds for one request. */
const TIMEOUT = 10_000;
/** A witness with many keys, ML-DSA among them, answers with some kilobytes for each. */
const MAX_ANSWER = 2 ** 16;
/** The first question may be off by what the witness has seen before, the second by what came in between. */
const MAX_TRIES = 3;

export class Witness {
  readonly name: string;
  readonly #options: WitnessOptions;
  readonly #endpoint: string;
  /** Entries of the tree that it cosigned last; until it has told, none. */
  #size = 0;

  constructor(options: WitnessOptions) {
    this.name = options.name;
    this.#options = options;
    this.#endpoint = `${options.url.replace(/\/+$/, '')}/add-checkpoint`;
  }

  /** The witness's verified signature line. Rejects with a WitnessError. One at a time. */
  async cosign(checkpoint: Cosignable, signal?: AbortSignal): Promise<NoteSignature> {
    for (let i = 0; i < MAX_TRIES; i++) {
      const old = Math.min(this.#size, checkpoint.size);
      const answer = await this.#ask(checkpoint, old, signal);
      if (answer.status === 200) {
        const signature = await this.#signatureIn(answer.body, checkpoint.checkpoint);
        this.#size = checkpoint.size;
        return signature;
      }
      if (answer.status !== 409) throw refusal(answer.status);
      const size = sizeIn(answer.body);
      if (size === undefined) throw new WitnessError('malformed', 'the witness does not tell its size');
      if (size > checkpoint.size)
        throw new WitnessError(
          'ahead',
          `the witness has seen a tree of ${size} entries, and the newest here has ${checkpoint.size}`,
        );
      if (size === old)
        throw new WitnessError('inconsistent', `the witness has seen another tree of ${size} entries`);
      this.#size = size;
    }
    throw new WitnessError('refused', 'the witness names another size each time');
  }

  async #ask(
    { checkpoint, consistency, size }: Cosignable,
    old: number,
    signal: AbortSignal | undefined,
  ): Promise<Posted> {
    const proof = old === 0 || old === size ? [] : await consistency(old, size);
    const lines = [`old ${old}`, ...proof.map(base64), ''].join('\n');
    const options = { timeoutMs: TIMEOUT, maxBytes: MAX_ANSWER, contentType: 'text/plain', signal };
    try {
      return await this.#options.poster.post(this.#endpoint, `${lines}\n${fromUtf8(checkpoint)}`, options);
    } catch (cause) {
      throw new WitnessError('unreachable', 'the witness gave no answer', cause);
    }
  }

  async #signatureIn(body: Uint8Array, checkpoint: Bytes): Promise<NoteSignature> {
    const { key, verifier } = this.#options;
    const text = checkpoint.subarray(0, textEnd(checkpoint));
    const note = parseNote(concat(text, utf8('\n'), body));
    const signature = note && (await cosignatureOf(note, key, verifier));
    if (signature !== undefined) return signature;
    throw new WitnessError('malformed', 'the answer holds no cosignature of the configured key');
  }
}

/** Where the text of a note ends: at the blank line. */
function textEnd(note: Uint8Array): number {
  for (let i = note.length - 1; i > 0; i--) if (note[i] === 0x0a && note[i - 1] === 0x0a) return i;
  return note.length;
}

/** The decimal size in a 409. */
function sizeIn(body: Uint8Array): number | undefined {
  const found = /^(0|[1-9]\d{0,15})\n$/.exec(String.fromCharCode(...body.subarray(0, 32)));
  const size = Number(found?.[1]);
  return Number.isSafeInteger(size) ? size : undefined;
}

const MEANINGS: Readonly<Record<number, string>> = {
  400: 'the request is malformed',
  403: 'none of the signatures is by a key that the witness trusts for this log',
  404: 'the witness does not know this log',
};

function refusal(status: number): WitnessError {
  if (status === 422)
    return new WitnessError('inconsistent', 'the witness finds the consistency proof wrong');
  return new WitnessError('refused', `status ${status}: ${MEANINGS[status] ?? 'the witness did not cosign'}`);
}
