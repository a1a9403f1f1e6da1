// Remote log: a log in another process, asked over `add-pre-chain` (RFC 6962 section 4.2).

import { base64, fromBase64, fromUtf8 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { PublicKey } from '../key/public-key.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import { Problem } from '../problem.ts';
import type { Log, PrecertEntry, Sct } from './log.ts';
import type { Posted, Poster } from './poster.ts';
import type { Schedule } from './schedule.ts';
import { verifySct } from './sct.ts';
import { readDigitallySigned } from './signature.ts';

export interface RemoteLogOptions {
  /** Submission prefix: what stands before `ct/v1/add-pre-chain`; with or without a trailing slash. */
  readonly url: string;
  readonly poster: Poster;
  readonly schedule: Schedule;
  /** Milliseconds from any start; never goes back. */
  readonly monotonic: () => number;
  readonly sha256: Sha256;
  readonly verifier: SignatureVerifier;
  /** The log's key. Without it any well-formed SCT is believed. */
  readonly publicKey?: PublicKey | undefined;
  readonly bearer?: string | undefined;
  /** Milliseconds for an append, retries and waits included; 10,000 unless set. */
  readonly deadlineMs?: number | undefined;
}

export type RemoteLogFailure =
  | 'unreachable'
  | 'refused'
  /** The log is well and does not want this one entry. */
  | 'entry_refused'
  | 'malformed'
  | 'signature_invalid';

/** Statuses that speak of the entry and not of the log. */
const ENTRY_REFUSED: ReadonlySet<number> = new Set([400, 413, 422]);

/** Why a remote log gave no SCT; a cause for the log, never for the client. */
export class RemoteLogError extends Error {
  override readonly name = 'RemoteLogError';
  readonly code: RemoteLogFailure;

  constructor(code: RemoteLogFailure, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** An add-pre-chain answer is about 400 bytes. */
const MAX_ANSWER = 2 ** 14;
const FIRST_WAIT = 100;
const LONGEST_WAIT = 2000;
/** Retries are for the odd failure: each append earns a tenth of one, so that a log that is down is not asked twice as often. */
const BUDGET = 10;
const EARNED = 0.1;

export class RemoteLog implements Log {
  readonly #options: RemoteLogOptions;
  readonly #endpoint: string;
  #budget = BUDGET;

  constructor(options: RemoteLogOptions) {
    this.#options = options;
    this.#endpoint = `${options.url.replace(/\/+$/, '')}/ct/v1/add-pre-chain`;
  }

  async append(entry: PrecertEntry): Promise<Sct> {
    const { monotonic, deadlineMs = 10_000 } = this.#options;
    const body = JSON.stringify({ chain: [entry.precertificate, ...entry.chain].map(base64) });
    const deadline = monotonic() + deadlineMs;
    this.#budget = Math.min(BUDGET, this.#budget + EARNED);
    for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      const outcome = await this.#attempt(entry, body, deadline - monotonic());
      if (!(outcome instanceof Failure)) return outcome;
      const pause = outcome.retryAfter ?? wait;
      // An attempt that cannot begin in time is none.
      if (!outcome.passing || this.#budget < 1 || monotonic() + pause >= deadline)
        throw new Problem('log_unavailable', { cause: outcome.error });
      this.#budget -= 1;
      await new Promise<void>((resolve) => this.#options.schedule(resolve, pause));
    }
  }

  async #attempt(entry: PrecertEntry, body: string, timeoutMs: number): Promise<Sct | Failure> {
    const { poster, sha256, verifier, publicKey, bearer } = this.#options;
    let posted: Posted;
    try {
      posted = await poster.post(this.#endpoint, body, { timeoutMs, maxBytes: MAX_ANSWER, bearer });
    } catch (cause) {
      return new Failure(new RemoteLogError('unreachable', 'the log gave no answer', cause), true);
    }
    const { status, retryAfter } = posted;
    if (status !== 200) {
      const passing = status >= 500 || status === 429 || status === 408;
      const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) : undefined;
      const code = ENTRY_REFUSED.has(status) ? 'entry_refused' : 'refused';
      const error = new RemoteLogError(code, `the log answered with status ${status}`);
      return new Failure(error, passing, seconds === undefined ? undefined : seconds * 1000);
    }
    const sct = readSct(posted.body);
    if (sct === undefined) return new Failure(new RemoteLogError('malformed', 'the answer is no SCT'), false);
    if (publicKey !== undefined && !(await verifySct(verifier, sha256, publicKey, entry, sct))) {
      const error = new RemoteLogError('signature_invalid', "the SCT is not one of the configured log's key");
      return new Failure(error, false);
    }
    return sct;
  }
}

class Failure {
  readonly error: RemoteLogError;
  /** Whether the next attempt may fare better. */
  readonly passing: boolean;
  /** Milliseconds that the log asked to wait. */
  readonly retryAfter: number | undefined;

  constructor(error: RemoteLogError, passing: boolean, retryAfter?: number) {
    this.error = error;
    this.passing = passing;
    this.retryAfter = retryAfter;
  }
}

/** The answer of add-pre-chain (section 4.1). Undefined when anything about it is off. */
export function readSct(body: Uint8Array): Sct | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(fromUtf8(body));
  } catch {
    return undefined;
  }
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { sct_version, id, timestamp, extensions, signature } = answer as Record<string, unknown>;
  const logId = bytesOf(id);
  const extensionBytes = bytesOf(extensions ?? '');
  const signed = bytesOf(signature);
  if (sct_version !== 0 || logId?.length !== 32 || extensionBytes === undefined || signed === undefined)
    return undefined;
  if (!(Number.isSafeInteger(timestamp) && Number(timestamp) > 0) || extensionBytes.length > 0xffff)
    return undefined;
  if (readDigitallySigned(signed) === undefined) return undefined;
  return { logId, timestamp: Number(timestamp), extensions: extensionBytes, signature: signed };
}

function bytesOf(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  return typeof value === 'string' ? fromBase64(value) : undefined;
}
