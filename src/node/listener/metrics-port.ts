// Metrics port: what those who run an instance ask it in clear, whatever TLS its other ports demand: metrics and health.

import { Hono } from 'hono';
import { readinessResponse, servingResponse, type Unreadiness } from '../../http/health.ts';
import type { Metrics } from '../signals/metrics.ts';
import { listeningOn } from './address.ts';
import { type FetchHandler, type HttpServer, listen } from './http-server.ts';

export interface MetricsPort {
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  /** As Door.readiness. */
  readiness(): Promise<readonly Unreadiness[]>;
}

/** Rejects with an Error with a sentence when the address cannot be bound. */
export function listenForMetrics(
  port: MetricsPort,
  { metricsHost, metricsPort }: { readonly metricsHost: string; readonly metricsPort: number },
): Promise<HttpServer> {
  return listeningOn('metrics', metricsHost, metricsPort, listen(handlerOf(port), metricsHost, metricsPort));
}

function handlerOf({ metrics, readiness }: MetricsPort): FetchHandler {
  const app = new Hono();
  app.get('/metrics', async (c) =>
    c.body(await metrics.text(), 200, { 'content-type': metrics.contentType }),
  );
  app.get('/healthz', servingResponse);
  app.get('/readyz', async () => readinessResponse(await readiness()));
  return app.fetch;
}
