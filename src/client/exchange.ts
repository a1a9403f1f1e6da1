// Exchange: one HTTP request of a client and its whole answer, within a time and a size, tried again where that helps.

import { concat, fromUtf8 } from '../encoding/bytes.ts';

export interface ExchangeOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** A body makes it a POST. */
  readonly body?: string;
  /** For each attempt; ten seconds unless given. */
  readonly timeoutMs?: number;
  /** Attempts after the first, for answers that say "later" and connections that fail; two unless given. */
  readonly retries?: number;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Undefined where the text is no JSON. */
  readonly json: unknown;
}

/** No answer came: the message names the host and what went wrong with the connection, never a query. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

const MAX_BYTES = 1 << 20;
const LATER = new Set([429, 502, 503, 504]);
/** Longer than this nobody waits at a command line. */
const MAX_PAUSE_MS = 10_000;

/** Redirects are not followed: what is sent may be a credential. Throws NoAnswer. */
export async function exchange(url: string, options: ExchangeOptions = {}): Promise<Answer> {
  const { retries = 2 } = options;
  for (let attempt = 0; ; attempt++) {
    const last = attempt >= retries;
    try {
      const { answer, retryAfterMs } = await once(url, options);
      if (last || !LATER.has(answer.status)) return answer;
      await pause(retryAfterMs ?? 250 * 2 ** attempt);
    } catch (cause) {
      if (last) throw new NoAnswer(`${hostOf(url)} does not answer: ${reasonOf(cause)}`, { cause });
      await pause(250 * 2 ** attempt);
    }
  }
}

async function once(
  url: string,
  { headers = {}, body, timeoutMs = 10_000 }: ExchangeOptions,
): Promise<{ readonly answer: Answer; readonly retryAfterMs: number | undefined }> {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
    headers: { accept: 'application/json', 'user-agent': 'mayfly', ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await textOf(response);
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return {
    answer: { status: response.status, text, json: parse(text) },
    retryAfterMs: Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : undefined,
  };
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_BYTES) throw new Error(`the answer is larger than ${MAX_BYTES} bytes`);
    parts.push(part);
  }
  return fromUtf8(concat(...parts));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, MAX_PAUSE_MS)));
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'that address';
}

/** The system's code where there is one, as `fetch failed` says nothing. */
function reasonOf(failure: unknown): string {
  if (!(failure instanceof Error)) return 'an unknown failure';
  if (failure.name === 'TimeoutError') return 'no complete answer in time';
  const { cause } = failure;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error && cause.message !== '' ? cause.message : failure.message;
}

/** A member of a JSON object that is a string. */
export function stringIn(json: unknown, name: string): string | undefined {
  if (typeof json !== 'object' || json === null || !Object.hasOwn(json, name)) return undefined;
  const value: unknown = Reflect.get(json, name);
  return typeof value === 'string' ? value : undefined;
}
