// Fetch fetcher: documents of OpenID providers over the global fetch, for runtimes that have nothing else.

import { concat } from '../encoding/bytes.ts';
import { addressOfHost, isReachable } from '../token/address.ts';
import {
  FetchError,
  type Fetched,
  type Fetcher,
  type FetchOptions,
  isRedirect,
  parseFetchUrl,
  redirectTarget,
} from '../token/fetcher.ts';

/**
 * Names are resolved by the runtime, out of our sight: run this only where the network itself leads to public
 * addresses alone, as on Cloudflare Workers. A private CA is refused, as fetch cannot be told one.
 */
export class FetchFetcher implements Fetcher {
  readonly #fetch: typeof fetch;

  constructor(send: typeof fetch = fetch) {
    this.#fetch = send;
  }

  async get(text: string, options: FetchOptions): Promise<Fetched> {
    if (options.caCert !== undefined) throw new FetchError('unsupported', 'a private CA on this runtime');
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), options.timeoutMs);
    try {
      return await this.#follow(parseFetchUrl(text), options, abort.signal);
    } catch (error) {
      if (abort.signal.aborted)
        throw new FetchError('timed_out', `no complete answer within ${options.timeoutMs} ms`);
      throw error instanceof FetchError ? error : new FetchError('connection_failed', 'fetch failed', error);
    } finally {
      clearTimeout(timer);
      abort.abort(); // whatever is still open
    }
  }

  async #follow(start: URL, options: FetchOptions, signal: AbortSignal): Promise<Fetched> {
    let url = start;
    for (let hops = 0; ; hops += 1) {
      checkAddress(url, options);
      const response = await this.#fetch.call(undefined, url.href, {
        redirect: 'manual',
        signal,
        headers: {
          accept: 'application/json',
          'user-agent': 'mayfly',
          ...(options.bearer !== undefined && { authorization: `Bearer ${options.bearer}` }),
        },
      });
      if (!isRedirect(response.status))
        return { status: response.status, body: await readBody(response, options.maxBytes) };
      url = redirectTarget(url, response.headers.get('location'), hops);
    }
  }
}

function checkAddress(url: URL, options: FetchOptions): void {
  const literal = addressOfHost(url.hostname);
  if (literal === undefined) return;
  if (!isReachable(literal, options.addresses))
    throw new FetchError('address_refused', `${literal} is not a permitted address`);
}

/** Counted as it arrives, after any content coding: a small body cannot unfold into a large one. */
async function readBody(response: Response, maxBytes: number): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > maxBytes) throw new FetchError('too_large', `body of more than ${maxBytes} bytes`);
    chunks.push(part.value);
  }
  return concat(...chunks);
}
