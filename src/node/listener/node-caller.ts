// Node caller: who is at the other end of a Node connection, or behind the proxies that the operator listed.

import { randomUUID } from 'node:crypto';
import { TrustedProxies } from '../../admission/forwarded.ts';
import { type Caller, idsOf } from '../../caller.ts';
import type { Settings } from '../../config/settings.ts';
import type { Tracing } from '../signals/tracing.ts';

export interface CallerReader {
  /** `environment` is what @hono/node-server gives a handler beside the request. */
  ofRequest(request: Request, environment: unknown): Caller;
  /** `peer` is the address at the other end of the connection. */
  of(headers: Headers, peer: string | undefined, url: string): Caller;
}

/** A request that brings no id gets one; it begins a trace where there is tracing, but to ask for health. */
export function callerReader(
  settings: Pick<Settings, 'trustedProxies' | 'forwardedHeader'>,
  tracing?: Tracing,
): CallerReader {
  const proxies = new TrustedProxies(settings.trustedProxies, settings.forwardedHeader);
  const of = (headers: Headers, peer: string | undefined, url: string): Caller => {
    const { requestId = randomUUID(), traceId } = idsOf(headers);
    const address = proxies.clientOf(peer, headers);
    if (tracing === undefined || PROBES.test(url)) return { address, requestId, traceId };
    const trace = tracing.begin(headers);
    return { address, requestId, traceId: trace.traceId, trace: trace.sampled ? trace : undefined };
  };
  return {
    of,
    ofRequest: ({ headers, url }, environment) => of(headers, connectionOf(environment)?.remoteAddress, url),
  };
}

const PROBES = /\/(?:healthz|readyz|grpc\.health\.v1\.Health\/\w+)(?:\?|$)/;

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
