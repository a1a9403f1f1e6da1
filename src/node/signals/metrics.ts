// Metrics: Prometheus counters and gauges, Fulcio's names kept and Mayfly's beside them; no label ever holds an identity.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Observer, Trail } from '../../audit.ts';
import type { Answer } from '../../http/answer.ts';
import type { CallObserver } from '../../http/app.ts';
import { problemOf } from '../../http/failure.ts';
import type { Issuer } from '../../token/issuer.ts';
import { childrenOf } from './children.ts';
import { grpcMetrics } from './grpc-metrics.ts';

export interface Metrics extends Observer {
  readonly calls: CallObserver;
  /** For the parts of an instance that have metrics of their own. */
  readonly registry: Registry;
  onAnswer(answer: Pick<Answer, 'method' | 'status' | 'milliseconds'>): void;
  readonly contentType: string;
  text(): Promise<string>;
}

const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** `typeOf` gives the configured type of an issuer. */
export function createMetrics(version: string, typeOf: (issuer: Issuer) => string): Metrics {
  const registry = createRegistry(version);
  const registers = [registry];
  const issued = new Counter({ registers, name: 'fulcio_new_certs', help: 'Certificates issued.' });
  const requests = new Counter({
    registers,
    name: 'http_requests_total',
    help: 'HTTP requests by status code and method.',
    labelNames: ['code', 'method'],
  });
  const latency = new Histogram({
    registers,
    name: 'fulcio_api_latency',
    help: 'Seconds from request to answer.',
    labelNames: ['code', 'method'],
    buckets: SECONDS,
  });
  const issuance = new Counter({
    registers,
    name: 'mayfly_issuance_total',
    help: 'Decisions by configured issuer, type, result and reason.',
    labelNames: ['issuer', 'type', 'result', 'reason'],
  });

  const answered = childrenOf((method: string, code: string) => ({
    requests: requests.labels({ code, method }),
    latency: latency.labels({ code, method }),
  }));
  const decided = childrenOf((issuer: string, type: string, result: string, reason: string) =>
    issuance.labels({ issuer, type, result, reason }),
  );

  return {
    registry,
    calls: grpcMetrics(registry),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    onAnswer({ method, status, milliseconds }) {
      const child = answered(METHODS.has(method) ? method : 'other', String(status));
      child.requests.inc();
      child.latency.observe(milliseconds / 1000);
    },
    record(trail: Trail, failure?: unknown) {
      const reason = failure === undefined ? '' : problemOf(failure).reason;
      if (failure === undefined) issued.inc();
      const issuer = trail.token?.issuer;
      const type = issuer === undefined ? '' : typeOf(issuer);
      const result = failure === undefined ? 'issued' : reason === 'RATE_LIMITED' ? 'limited' : 'refused';
      decided(issuer?.name ?? '', type, result, reason).inc();
    },
  };
}

/** What any process tells of itself, whatever its role. */
export function createRegistry(version: string): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    registers,
    name: 'fulcio_build_info',
    help: 'Version that runs.',
    labelNames: ['version'],
    aggregator: 'first',
  }).set({ version }, 1);
  new Gauge({
    registers,
    name: 'mayfly_clock_step_seconds',
    help: 'How far the clock has been set forward (or, below zero, back) since the process started.',
    aggregator: 'max',
    collect() {
      this.set((Date.now() - performance.timeOrigin - performance.now()) / 1000);
    },
  });
  return registry;
}

/** Any token is a legal HTTP method, so the label is closed. */
const METHODS = new Set(['get', 'post', 'head', 'put', 'patch', 'delete', 'options']);
