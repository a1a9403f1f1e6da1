// Signal settings: where an instance tells how it fares: metrics, its own log, traces.

import type * as z from 'zod';
import type { LOG_LEVELS, signalSchema } from './signal-schema.ts';
import { defined, type Reader, readFile } from './trust-material.ts';

export interface SignalSettings {
  readonly metricsHost: string;
  readonly metricsPort: number;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Without it nothing is traced, unless OpenTelemetry's own variables ask for it. */
  readonly tracing?: TracingSettings;
}

export interface TracingSettings {
  /** URL of the collector. */
  readonly endpoint: string;
  /** 0 to 1. */
  readonly sampleRatio: number;
  readonly headers: Readonly<Record<string, string>>;
}

export function readSignals(general: z.output<typeof signalSchema>, reader: Reader): SignalSettings {
  const { tracing } = general;
  return {
    metricsHost: general['metrics-host'],
    metricsPort: general['metrics-port'],
    logLevel: general['log-level'],
    ...defined(
      'tracing',
      tracing && {
        endpoint: tracing.endpoint,
        sampleRatio: tracing['sample-ratio'],
        headers: tracing.headers === undefined ? {} : headersIn(tracing.headers.file, reader),
      },
    ),
  };
}

/** RFC 9110 section 5.6.2 and 5.5. */
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)[ \t]*$/;

function headersIn(file: string, reader: Reader): Readonly<Record<string, string>> {
  const at = ['tracing', 'headers', 'file'];
  const lines = (readFile(file, at, reader) ?? '').split(/\r?\n/).filter((line) => line.trim() !== '');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      reader.findings.error(at, 'takes a file with a header on each line, such as X-Api-Key: SECRET');
      return {};
    }
    headers[name] = value;
  }
  return headers;
}
