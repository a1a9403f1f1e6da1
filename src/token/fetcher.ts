// Fetcher: the port through which documents of OpenID providers are fetched, within limits of time, size and reach.

import type { Reach } from './address.ts';

export interface FetchOptions {
  /** For the whole fetch: name lookup, connection, redirects and body. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** PEM certificates that the server may chain to, beside the system's. */
  readonly caCert?: string;
  readonly addresses: Reach;
  /** Sent as `Authorization: Bearer`; it never leaves the URL's own host. */
  readonly bearer?: string;
}

export interface Fetched {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface Fetcher {
  /**
   * GET over http or https. Follows at most `maxRedirects` redirects, none to another host or from https to http.
   * Rejects with a FetchError, and with nothing else; a status other than 200 is an answer, not an error.
   */
  get(url: string, options: FetchOptions): Promise<Fetched>;
}

export const maxRedirects = 3;

export type FetchErrorCode =
  | 'invalid_url'
  | 'name_unresolved'
  | 'address_refused'
  | 'connection_failed'
  | 'tls_failed'
  | 'timed_out'
  | 'too_large'
  | 'redirect_refused'
  | 'unsupported';

/** For logs and metrics: the message may name hosts and addresses, so it is never shown to a client. */
export class FetchError extends Error {
  override readonly name = 'FetchError';
  readonly code: FetchErrorCode;

  constructor(code: FetchErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** The URL as it will be requested. Throws FetchError invalid_url for other schemes and for credentials in it. */
export function parseFetchUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new FetchError('invalid_url', 'not an http or https URL');
  if (url.username !== '' || url.password !== '')
    throw new FetchError('invalid_url', 'credentials in the URL');
  return url;
}

/** Where a redirect leads. Throws FetchError redirect_refused for another host, a downgrade, or one hop too many. */
export function redirectTarget(from: URL, location: string | null | undefined, hops: number): URL {
  if (hops >= maxRedirects) throw new FetchError('redirect_refused', `more than ${maxRedirects} redirects`);
  if (!location) throw new FetchError('redirect_refused', 'redirect without a Location');
  const to = parseFetchUrl(location, from);
  if (to.host !== from.host)
    throw new FetchError('redirect_refused', `redirect from ${from.host} to another host`);
  if (from.protocol === 'https:' && to.protocol !== 'https:')
    throw new FetchError('redirect_refused', 'redirect from https to http');
  return to;
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}
