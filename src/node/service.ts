// Service: an instance and its listeners: HTTP, gRPC, and metrics.

import { compressionGzip } from '@connectrpc/connect-node';
import type { Settings } from '../config/settings.ts';
import { grpcFace } from '../grpc/face.ts';
import { listeningOn } from './listener/address.ts';
import { grpcListener } from './listener/grpc-listener.ts';
import { type GrpcServer, listenGrpc } from './listener/grpc-server.ts';
import { type FetchHandler, listen } from './listener/http-server.ts';
import type { Listener, ListenerOptions } from './listener/listener.ts';
import { type ListenerName, listenerMetrics, listenerOptions, renewal } from './listener/listeners.ts';
import { listenForMetrics } from './listener/metrics-port.ts';
import { type Mayfly, type MayflyOptions, openMayfly } from './mayfly.ts';
import type { LoadSettings, ReloadCause } from './settings/reload.ts';
import type { Logger } from './system/logger.ts';

export interface Service {
  /** Where the certificate API answers, without a final slash. */
  readonly url: string;
  /** Where gRPC, gRPC-Web and Connect answer. */
  readonly grpcUrl: string;
  readonly metricsUrl: string;
  /** As Reload.run. */
  reload(load: LoadSettings, cause: ReloadCause): boolean;
  /** As Mayfly.rotate. */
  rotate(cause: ReloadCause): Promise<boolean>;
  /** Goes unready, waits `delayMs`, finishes what was accepted, publishes the log, lets go of the data folder. */
  close(delayMs?: number): Promise<void>;
}

/** Throws an Error with a sentence for the operator when something that was configured cannot be used. */
export async function startService(options: MayflyOptions): Promise<Service> {
  const { settings, logger } = options;
  const doors = await openDoors(options, (url) => publicUrlOf(settings, url, logger));
  await using opened = new AsyncDisposableStack(); // closes all of it when the rest cannot be opened
  opened.defer(() => doors.close());
  const { mayfly } = doors;
  const { metrics, door } = mayfly;
  const metricsServer = await listenForMetrics({ metrics, readiness: door.readiness }, settings);
  await door.readiness(); // says at once why not
  opened.move();
  return {
    url: doors.url,
    grpcUrl: doors.grpcUrl,
    metricsUrl: metricsUrlOf(settings, metricsServer.port),
    reload: mayfly.reload,
    rotate: mayfly.rotate,
    async close(delayMs) {
      await doors.close(delayMs);
      await metricsServer.close();
    },
  };
}

/** Where clients are told that the instance is. */
export function publicUrlOf({ publicUrl, host }: Settings, url: string, logger: Logger): string {
  if (publicUrl === undefined && ANY_ADDRESS.has(host))
    logger.warn(`public-url is not set, so clients are told that this instance is at ${url}`);
  return publicUrl ?? url;
}

export function metricsUrlOf({ metricsHost }: Settings, port: number): string {
  return `${urlOf(reachable(metricsHost), port)}/metrics`;
}

/** An instance that can be reached, but for its metrics. */
export interface Doors extends Pick<Service, 'url' | 'grpcUrl' | 'close'> {
  readonly mayfly: Mayfly;
}

/** `publicUrl` is given where the instance listens. Throws an Error with a sentence when something cannot be used. */
export async function openDoors(options: MayflyOptions, publicUrl: (url: string) => string): Promise<Doors> {
  const { settings, logger, sequencer } = options;
  const shared = sequencer !== undefined; // with the other workers
  await using opened = new AsyncDisposableStack(); // closes all of it when a later part cannot be opened

  // The log wants to know its address before it opens, and the address is only known once bound: bind first, answer later.
  // A worker is told, and binds last: the others answer until it can.
  let answer: FetchHandler = () => new Response(null, { status: 503, headers: { 'retry-after': '1' } });
  const listeners = new Map<ListenerName, Listener>();
  const listenRest = async (): Promise<Listener> => {
    const { host, port } = settings;
    const restOptions = { ...listenerOptions(settings, 'REST', logger), shared };
    const serve: FetchHandler = (request, environment) => answer(request, environment);
    const server = await listeningOn('REST', host, port, listen(serve, host, port, restOptions));
    opened.defer(() => server.close());
    listeners.set('REST', server);
    return server;
  };
  const first = shared ? undefined : await listenRest();
  const grpcOptions = { ...listenerOptions(settings, 'gRPC', logger), shared }; // before the first start makes keys
  const urlAt = (port: number): string => urlOf(reachable(settings.host), port, schemeOf(settings.tls));
  const mayfly = await openMayfly(options, publicUrl(urlAt(first?.port ?? settings.port)), (wanted) =>
    renewal(settings, wanted, listeners),
  );
  opened.defer(() => mayfly.close());
  answer = mayfly.app.fetch;
  const server = first ?? (await listenRest());
  const grpc = await grpcServer(settings, mayfly, logger, grpcOptions);
  opened.defer(() => grpc.close());
  listeners.set('gRPC', grpc);
  listenerMetrics(mayfly.metrics.registry, listeners, mayfly.settings);
  opened.move();

  return {
    mayfly,
    url: urlAt(server.port),
    grpcUrl: urlOf(reachable(settings.host), grpc.port, schemeOf(settings.grpcTls)),
    async close(delayMs = 0) {
      mayfly.drain();
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      await Promise.all([server.close(), grpc.close()]);
      await mayfly.close();
    },
  };
}

async function grpcServer(
  settings: Settings,
  { door, callers }: Pick<Mayfly, 'door' | 'callers'>,
  logger: Logger,
  options: ListenerOptions,
): Promise<GrpcServer> {
  const { host, grpcPort } = settings;
  const face = grpcFace(door, [compressionGzip]);
  const onLost = (cause: unknown): void =>
    logger.debug({ err: cause }, 'a gRPC answer did not reach its client');
  const listener = grpcListener(face, onLost, callers.of);
  return listeningOn('gRPC', host, grpcPort, listenGrpc(listener, host, grpcPort, options));
}

const ANY_ADDRESS = new Set(['0.0.0.0', '::']);

/** A name for the listener that a client on this machine can use. */
export function reachable(host: string): string {
  return ANY_ADDRESS.has(host) ? 'localhost' : host;
}

export function schemeOf(tls: object | undefined): 'http' | 'https' {
  return tls === undefined ? 'http' : 'https';
}

/** Of a listener, without a final slash. */
export function urlOf(host: string, port: number, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
