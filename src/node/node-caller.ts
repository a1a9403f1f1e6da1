// Node caller: who is at the other end of a Node connection, or behind the proxies that the operator listed.

import type { IncomingMessage } from 'node:http';
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
    ofRequest: ({ headers }, environment) => of(headers, peerIn(environment)),
  };
}

/** Undefined where another server than ours called. */
function peerIn(environment: unknown): string | undefined {
  const { incoming } = (environment ?? {}) as { readonly incoming?: IncomingMessage }; // a shape to look at, not to trust
  return incoming?.socket?.remoteAddress;
}
