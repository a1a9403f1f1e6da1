// Signal schema: the keys that signal-settings.ts reads.

import * as z from 'zod';
import { file, port, text, webUrl } from './value-schema.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export const signals = {
  'metrics-host': text
    .describe('Address of the metrics; they name issuers, so open it only to those who scrape them.')
    .default('127.0.0.1'),
  'metrics-port': port.describe('Prometheus metrics; 0 takes any free one.').default(2112),
  'log-level': z
    .enum(LOG_LEVELS)
    .describe('What goes to standard error; debug adds a line for each request.')
    .default('info'),
  tracing: z
    .strictObject({
      endpoint: webUrl.describe(
        'OpenTelemetry collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; /v1/traces is added.',
      ),
      'sample-ratio': z
        .number('takes a number from 0 to 1')
        .min(0, 'takes a number from 0 to 1')
        .max(1, 'takes a number from 0 to 1')
        .describe('Share of requests that are traced; those that come with a traceparent follow that.')
        .default(1),
      headers: file
        .optional()
        .describe('File with a header that the collector wants on each line, name: value.'),
    })
    .optional()
    .describe('Sends spans of requests to an OpenTelemetry collector.'),
};

export const signalSchema = z.strictObject(signals);
