// Open tracing: whether the requests of an instance are traced; OpenTelemetry is loaded only where they are.

import type { TracingSettings } from '../../config/signal-settings.ts';
import type { Logger } from '../system/logger.ts';
import type { Tracing } from './tracing.ts';

/** Undefined where neither the configuration nor OpenTelemetry's own variables name a collector. */
export async function openTracing(
  settings: TracingSettings | undefined,
  environment: NodeJS.ProcessEnv,
  logger: Logger,
): Promise<Tracing | undefined> {
  if (settings === undefined && !isAsked(environment)) return undefined;
  const { openTelemetry } = await import('./opentelemetry.ts');
  return openTelemetry(settings ?? {}, logger);
}

function isAsked(environment: NodeJS.ProcessEnv): boolean {
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return false;
  if (environment['OTEL_TRACES_EXPORTER'] === 'none') return false;
  return ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'].some(
    (name) => (environment[name] ?? '') !== '',
  );
}
