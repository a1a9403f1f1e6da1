// OpenTelemetry: spans of requests and their steps, sent to a collector as OTLP over HTTP in JSON.

import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TracingSettings } from '../../config/signal-settings.ts';
import { problemOf } from '../../http/failure.ts';
import type { SpanName, TracedRequest } from '../../trace.ts';
import { VERSION } from '../../version.ts';
import type { Logger } from '../system/logger.ts';
import type { RequestTrace, Tracing } from './tracing.ts';

/** Milliseconds. */
const EXPORT_TIMEOUT = 10_000;
const CLOSE_TIMEOUT = 2_000;

/** Without an endpoint, OpenTelemetry's own variables say where spans go. */
export function openTelemetry(settings: Partial<TracingSettings>, logger: Logger): Tracing {
  const { endpoint, sampleRatio = 1, headers = {} } = settings;
  const exporter = new OTLPTraceExporter({
    ...(endpoint !== undefined && { url: tracesUrl(endpoint), headers }),
    timeoutMillis: EXPORT_TIMEOUT,
  });
  const detectors = [resourceAttributesEnvDetector, serviceNameEnvDetector];
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'mayfly', 'service.version': VERSION }))
      .merge(detectResources({ detectors })),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: watched(exporter, logger), exportTimeoutMillis: EXPORT_TIMEOUT }),
    ],
  });
  const tracer = provider.getTracer('mayfly', VERSION);
  return {
    begin: (headers) => new Spans(tracer, parentIn(headers)),
    async close() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, CLOSE_TIMEOUT);
      await Promise.race([provider.shutdown().catch(() => undefined), late.promise]);
      clearTimeout(timer);
    },
  };
}

/** As OTEL_EXPORTER_OTLP_ENDPOINT has it: the signal's path is added to the collector's URL. */
function tracesUrl(endpoint: string): string {
  return /\/v1\/traces$/.test(endpoint) ? endpoint : `${endpoint.replace(/\/+$/, '')}/v1/traces`;
}

/** Says when spans begin to get lost, and when they arrive again. */
function watched(exporter: SpanExporter, logger: Logger): SpanExporter {
  let arriving = true;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const arrived = result.error === undefined && result.code === 0; // ExportResultCode.SUCCESS
        if (arrived !== arriving) {
          if (arrived) logger.info('traces arrive again');
          else logger.warn({ err: result.error }, 'traces cannot be sent; they are lost meanwhile');
        }
        arriving = arrived;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}

/** W3C Trace Context, section 3.2; a version later than ours begins the same. */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

function parentIn(headers: Headers): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(headers.get('traceparent') ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags, 16) & 1;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

class Spans implements RequestTrace {
  readonly #tracer: Tracer;
  readonly #request: Span;
  readonly #context: Context;

  constructor(tracer: Tracer, parent: Context) {
    this.#tracer = tracer;
    this.#request = tracer.startSpan('request', { kind: SpanKind.SERVER }, parent);
    this.#context = trace.setSpan(parent, this.#request);
  }

  get traceId(): string {
    return this.#request.spanContext().traceId;
  }

  get sampled(): boolean {
    return this.#request.isRecording();
  }

  span<T>(name: SpanName, work: () => T): T {
    const span = this.#tracer.startSpan(name, {}, this.#context);
    let result: T;
    try {
      result = work();
    } catch (failure) {
      fail(span, failure);
      throw failure;
    }
    if (result instanceof Promise)
      result.then(
        () => span.end(),
        (failure: unknown) => fail(span, failure),
      );
    else span.end();
    return result;
  }

  end({ name, attributes, failed }: TracedRequest): void {
    this.#request.updateName(name);
    this.#request.setAttributes(attributes);
    if (failed) this.#request.setStatus({ code: SpanStatusCode.ERROR });
    this.#request.end();
  }
}

/** The reason alone: texts may hold what a client sent. */
function fail(span: Span, failure: unknown): void {
  span.setAttribute('error.type', problemOf(failure).reason);
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
