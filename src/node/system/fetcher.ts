// Node fetcher: documents of OpenID providers over node:http, to addresses that were checked and are then kept to.

import { promises as dns } from 'node:dns';
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { concat } from '../../encoding/bytes.ts';
import { addressOfHost, isReachable, type Reach } from '../../token/address.ts';
import {
  FetchError,
  type Fetched,
  type Fetcher,
  type FetchOptions,
  isRedirect,
  parseFetchUrl,
  redirectTarget,
} from '../../token/fetcher.ts';

/** The addresses of a name, in text form; rejects where it has none. Gives up when `signal` aborts. */
export type Resolve = (hostname: string, reach: Reach, signal: AbortSignal) => Promise<readonly string[]>;

export interface NodeFetcherOptions {
  readonly resolve?: Resolve;
  /** HTTP_PROXY, HTTPS_PROXY, NO_PROXY and their lower-case forms; the process environment unless given. */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>>;
}

export class NodeFetcher implements Fetcher {
  readonly #resolve: Resolve;
  readonly #proxyEnv: Readonly<Record<string, string | undefined>>;

  constructor(options: NodeFetcherOptions = {}) {
    this.#resolve = options.resolve ?? resolveBySystem;
    this.#proxyEnv = options.proxyEnv ?? process.env;
  }

  async get(url: string, options: FetchOptions): Promise<Fetched> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), options.timeoutMs);
    try {
      return await this.#follow(parseFetchUrl(url), options, abort.signal);
    } catch (error) {
      throw abort.signal.aborted
        ? new FetchError('timed_out', `no complete answer within ${options.timeoutMs} ms`)
        : toFetchError(error);
    } finally {
      clearTimeout(timer);
      abort.abort(); // whatever is still open: a body of no interest, a lookup
    }
  }

  async #follow(start: URL, options: FetchOptions, signal: AbortSignal): Promise<Fetched> {
    let url = start;
    for (let hops = 0; ; hops += 1) {
      const response = await this.#request(url, options, signal);
      const status = response.statusCode ?? 0;
      if (!isRedirect(status)) return { status, body: await readBody(response, options.maxBytes) };
      response.destroy();
      url = redirectTarget(url, response.headers.location, hops);
    }
  }

  async #request(url: URL, options: FetchOptions, signal: AbortSignal): Promise<IncomingMessage> {
    const literal = addressOfHost(url.hostname);
    // node:net looks up names only, so an address in the URL is checked here.
    if (literal !== undefined && !isReachable(literal, options.addresses))
      throw refused(literal, options.addresses);
    const { caCert, bearer } = options;
    const settings: RequestOptions & { ca?: string[]; minVersion?: 'TLSv1.2' } = {
      agent: this.#agent(url, caCert),
      lookup: this.#lookup(options.addresses, signal),
      signal,
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity', // so that a small body cannot unfold into a large one
        'user-agent': 'mayfly',
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
      },
      minVersion: 'TLSv1.2',
      ...(caCert !== undefined && { ca: [...getCACertificates('default'), caCert] }),
    };
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      send(url, settings).on('response', resolve).on('error', reject).end();
    });
  }

  /**
   * A connection of its own for each request, so that each is checked. Behind a proxy it is the proxy that resolves
   * names and decides what may be reached; a host with a private CA is inside, and so is the loopback: no proxy there.
   */
  #agent(url: URL, caCert: string | undefined): HttpAgent {
    const isDirect = caCert !== undefined || isLoopback(url.hostname);
    const settings = { keepAlive: false, proxyEnv: isDirect ? {} : { ...this.#proxyEnv } };
    return url.protocol === 'https:' ? new HttpsAgent(settings) : new HttpAgent(settings);
  }

  /** Connects to the very addresses that were checked: a second lookup could answer otherwise. */
  #lookup(reach: Reach, signal: AbortSignal): LookupFunction {
    return (hostname, { all }, done) => {
      this.#resolve(hostname, reach, signal).then(
        (addresses) => {
          const usable = addresses
            .filter((address) => isReachable(address, reach))
            .map((address) => ({ address, family: isIP(address) }));
          const [first] = usable;
          if (first === undefined) done(refused(addresses, reach), []);
          else if (all) done(null, usable);
          else done(null, first.address, first.family);
        },
        (cause) => done(new FetchError('name_unresolved', `no address for ${hostname}`, cause), []),
      );
    };
  }
}

function refused(address: string | readonly string[], reach: Reach): FetchError {
  return new FetchError(
    'address_refused',
    `${address} is no ${reach === 'any' ? 'permitted' : 'public'} address`,
  );
}

/**
 * Names that the operator wrote resolve as everywhere on the machine (hosts file, search domains). Other names do not
 * get there: getaddrinfo blocks a thread of the pool that also verifies signatures, for as long as a stranger's name
 * server likes.
 */
const resolveBySystem: Resolve = async (hostname, reach, signal) => {
  if (reach === 'any') return (await dns.lookup(hostname, { all: true })).map(({ address }) => address);
  const resolver = new dns.Resolver({ timeout: 2_000, tries: 2 });
  signal.addEventListener('abort', () => resolver.cancel(), { once: true });
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason;
  return [v6, v4].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
};

async function readBody(response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new FetchError('too_large', `body of more than ${maxBytes} bytes`);
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) {
    response.destroy();
    throw tooLarge();
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return concat(...chunks);
}

function isLoopback(hostname: string): boolean {
  const address = addressOfHost(hostname);
  if (address !== undefined) return address === '::1' || address.startsWith('127.');
  return hostname === 'localhost' || hostname.endsWith('.localhost');
}

function toFetchError(error: unknown): FetchError {
  if (error instanceof FetchError) return error;
  const { code = '', message } = error as { readonly code?: string; readonly message?: string };
  const isTls = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code);
  return new FetchError(isTls ? 'tls_failed' : 'connection_failed', `${code} ${message ?? ''}`.trim(), error);
}
