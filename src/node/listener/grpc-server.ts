// gRPC server: HTTP/2 and HTTP/1.1 on one port, in clear or over TLS 1.3, as Fulcio demands.

import { type Listener, type ListenerOptions, type NodeListener, openListener } from './listener.ts';

export type GrpcServer = Listener;

/** In clear without `tls`. Rejects with the system's error when the address cannot be bound or the key does not fit. */
export function listenGrpc(
  listener: NodeListener,
  host: string,
  port: number,
  options: Omit<ListenerOptions, 'minVersion' | 'http2InClear'> = {},
): Promise<GrpcServer> {
  return openListener(listener, host, port, { ...options, minVersion: 'TLSv1.3', http2InClear: true });
}
