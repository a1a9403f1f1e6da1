// Node caller: who is at the other end of a Node connection, or behind the proxies that the operator listed.

import { TrustedProxies } from '../admission/forwarded.ts';
import { type Caller, idsOf } from '../caller.ts';
import type { Settings } from '../config/settings.ts';

export interface CallerReader {
  /** `environment` is what @hono/node-server gives a handler beside the request. */
  ofRequest(request: Request, environment: unknown): Caller;
  /** `peer` is the address at the other end of the connection. */
  of(headers: Headers, peer: string | undefined): Caller;
}

export function callerReader(settings: Pick<Settings, 'trustedProxies' | 'forwardedHeader'>): CallerReader {
  const proxies = new TrustedProxies(settings.trustedProxies, settings.forwardedHeader);
  const of = (headers: Headers, peer: string | undefined): Caller => ({
    address: proxies.clientOf(peer, headers),
    ...idsOf(headers),
  });
  return {
    of,
    ofRequest: ({ headers }, environment) => of(headers, connectionOf(environment)?.remoteAddress),
  };
}

/** Of a socket, what may be there. */
export interface Connection {
  readonly remoteAddress?: string | undefined;
  /** Of a TLS socket. */
  readonly authorized?: boolean;
  getPeerX509Certificate?(): unknown;
}

/** What @hono/node-server tells of the connection; undefined where another server than ours called. */
export function connectionOf(environment: unknown): Connection | undefined {
  const { incoming } = (environment ?? {}) as { readonly incoming?: { readonly socket?: Connection } }; // a shape to look at, not to trust
  return incoming?.socket;
}
