// Cluster: an instance of several processes: this one keeps data folder, log, limits and metrics, and others issue.

import { createServer } from 'node:net';
import { MemoryLimiter } from '../../admission/memory-limiter.ts';
import { contradictionsIn, requireNone } from '../../config/contradiction.ts';
import type { RotationCause } from '../keys/rotation.ts';
import { type AddressName, listeningOn } from '../listener/address.ts';
import { renewal } from '../listener/listeners.ts';
import { listenForMetrics } from '../listener/metrics-port.ts';
import { type MayflyOptions, openMayfly } from '../mayfly.ts';
import { metricsUrlOf, publicUrlOf, reachable, type Service, schemeOf, urlOf } from '../service.ts';
import type { LoadSettings, ReloadCause } from '../settings/reload.ts';
import type { ReadFiles } from '../settings/watch.ts';
import { ClusterWorkers } from './workers.ts';

export interface ClusterOptions extends MayflyOptions {
  /** Of the command line; the workers read the configuration by them. */
  readonly flags: object;
  /** What `settings` were read from. */
  readonly files: ReadFiles;
  /** Program and arguments of a worker, which calls `runWorker`. */
  readonly command: readonly [string, ...string[]];
}

export interface Cluster extends Omit<Service, 'reload'> {
  /** As Reload.run, in this process; then the workers read the very same texts. */
  reload(load: LoadSettings, cause: ReloadCause, files: ReadFiles): boolean;
}

/** Throws an Error with a sentence for the operator when something that was configured cannot be used. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { settings, logger } = options;
  requireNone(contradictionsIn(settings, options.ephemeral));
  await listeningOn('REST', settings.host, settings.port, requireSharedPorts(settings.host));
  await using opened = new AsyncDisposableStack(); // closes all of it when a later part cannot be opened
  const rest = await reserve('REST', settings.host, settings.port);
  opened.defer(() => rest.release());
  const grpc = await reserve('gRPC', settings.host, settings.grpcPort);
  opened.defer(() => grpc.release());
  const url = urlOf(reachable(settings.host), rest.port, schemeOf(settings.tls));
  const publicUrl = publicUrlOf(settings, url, logger);
  const limiter = new MemoryLimiter();
  const noRenewal = { renew: () => {} }; // the workers have the listeners; here certificates are only looked at
  const looked = new Map([['REST', noRenewal] as const, ['gRPC', noRenewal] as const]);
  renewal(settings, settings, looked); // before the first start makes keys
  let workers: ClusterWorkers | undefined;
  const onRotated = (cause: RotationCause): void => workers?.rotate(cause);
  const mayfly = await openMayfly({ ...options, limiter, onRotated }, publicUrl, (wanted) =>
    renewal(settings, wanted, looked),
  );
  opened.defer(() => mayfly.close());
  const issuing = new ClusterWorkers({
    command: options.command,
    settings,
    mayfly,
    limiter,
    logger,
    start: {
      count: settings.workers,
      flags: options.flags,
      texts: options.files.texts,
      port: rest.port,
      grpcPort: grpc.port,
      publicUrl,
    },
  });
  workers = issuing;
  opened.defer(() => issuing.close());
  await issuing.start();
  await Promise.all([rest.release(), grpc.release()]); // the workers hold the ports from here on
  const metrics = { contentType: mayfly.metrics.contentType, text: () => issuing.metrics() };
  const readiness = async () => [...(await mayfly.door.readiness()), ...issuing.readiness()];
  const metricsServer = await listenForMetrics({ metrics, readiness }, settings);
  await readiness(); // says at once why not
  opened.move();
  return {
    url,
    grpcUrl: urlOf(reachable(settings.host), grpc.port, schemeOf(settings.grpcTls)),
    metricsUrl: metricsUrlOf(settings, metricsServer.port),
    reload(load, cause, files) {
      const done = mayfly.reload(load, cause);
      issuing.reload(files.texts, cause, done);
      return done;
    },
    rotate: mayfly.rotate,
    async close(delayMs = 0) {
      mayfly.drain();
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      await issuing.close();
      await mayfly.close();
      await metricsServer.close();
    },
  };
}

interface Reserved {
  readonly port: number;
  release(): Promise<void>;
}

/**
 * Looks whether a port is free, as those that share it do not ask, and holds one that was picked here until the workers
 * have it. Rejects with an Error with a sentence where anybody else has it.
 */
async function reserve(name: AddressName, host: string, wanted: number): Promise<Reserved> {
  const { port, release } = await listeningOn(name, host, wanted, bound(host, wanted, false));
  await release();
  return wanted === 0 ? bound(host, port, true) : { port, release: async () => {} };
}

/** Rejects with an Error with a sentence on a system whose processes cannot listen on one port together. */
export async function requireSharedPorts(host: string, listen = bound): Promise<void> {
  try {
    await (await listen(host, 0, true)).release();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code !== 'ENOTSUP' && code !== 'ENOPROTOOPT') throw cause;
    throw new Error(
      `workers share their ports by SO_REUSEPORT, which ${process.platform} does not offer (${code}): set workers to 1, and for more than one core run several instances in role ca behind a load balancer`,
      { cause },
    );
  }
}

function bound(host: string, port: number, reusePort: boolean): Promise<Reserved> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, reusePort }, () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        release: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}
