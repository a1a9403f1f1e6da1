// Metrics: Prometheus counters and gauges, Fulcio's names kept and Mayfly's beside them; no label ever holds an identity.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Observer, Trail } from '../../audit.ts';
import type { Answer } from '../../http/answer.ts';
import type { CallObserver } from '../../http/app.ts';
import { problemOf } from '../../http/failure.ts';
import type { Issuer } from '../../token/issuer.ts';
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

  // A child for each set of labels spares each answer the hashing of them.
  const children = new Map<string, Children>();
  const labelled = (method: string, status: number): Children => {
    const key = `${method} ${status}`;
    let child = children.get(key);
    if (child === undefined) {
      const labels = { code: String(status), method };
      child = { requests: requests.labels(labels), latency: latency.labels(labels) };
      children.set(key, child);
    }
    return child;
  };

  return {
    registry,
    calls: grpcMetrics(registry),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    onAnswer({ method, status, milliseconds }) {
      const labels = labelled(METHODS.has(method) ? method : 'other', status);
      labels.requests.inc();
      labels.latency.observe(milliseconds / 1000);
    },
    record(trail: Trail, failure?: unknown) {
      const reason = failure === undefined ? '' : problemOf(failure).reason;
      if (failure === undefined) issued.inc();
      const issuer = trail.token?.issuer;
      const labels = { issuer: issuer?.name ?? '', type: issuer === undefined ? '' : typeOf(issuer) };
      const result = failure === undefined ? 'issued' : reason === 'RATE_LIMITED' ? 'limited' : 'refused';
      issuance.inc({ ...labels, result, reason });
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

interface Children {
  readonly requests: ReturnType<Counter<'code' | 'method'>['labels']>;
  readonly latency: ReturnType<Histogram<'code' | 'method'>['labels']>;
}

/** Any token is a legal HTTP method, so the label is closed. */
const METHODS = new Set(['get', 'post', 'head', 'put', 'patch', 'delete', 'options']);
