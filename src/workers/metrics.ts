// Metrics: what is true of the whole deployment and not of one isolate, as Prometheus reads it.

import type { Authority } from '../certificate/authority.ts';
import { expiriesOf } from '../certificate/expiry.ts';
import { VERSION } from '../version.ts';
import type { EdgeLog } from './edge-log.ts';

const TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Counters of issuances are in the logs and in Analytics Engine: a scrape meets another isolate each time. */
export async function metricsText(authority: Authority, log: EdgeLog | undefined): Promise<Response> {
  const lines = [
    ...gauge('fulcio_build_info', 'Version that runs.', 1, `{version="${VERSION}"}`),
    ...family(
      'mayfly_ca_not_after_seconds',
      'Unix time at which a certificate of the CA chain expires.',
      expiriesOf(authority.chain).map(({ place, notAfter }) => [`{ca="${place}"}`, notAfter / 1000]),
    ),
    ...(log === undefined ? [] : await logLines(log)),
  ];
  return new Response(`${lines.join('\n')}\n`, { headers: { 'content-type': TYPE } });
}

async function logLines(log: EdgeLog): Promise<readonly string[]> {
  const reader = await log.reader().catch(() => undefined);
  const up = gauge('mayfly_log_up', 'Whether the log can be asked.', reader === undefined ? 0 : 1);
  if (reader === undefined) return up;
  const { size, timestamp } = reader.publication.treeHead;
  return [
    ...up,
    ...gauge('mayfly_log_tree_size', 'Entries that the published checkpoint covers.', size),
    ...gauge(
      'mayfly_log_tree_timestamp_seconds',
      'Unix time of the published tree head; it is renewed every minute.',
      timestamp / 1000,
    ),
  ];
}

function gauge(name: string, help: string, value: number, labels = ''): readonly string[] {
  return family(name, help, [[labels, value]]);
}

function family(
  name: string,
  help: string,
  values: readonly (readonly [labels: string, value: number])[],
): readonly string[] {
  const lines = values.map(([labels, value]) => `${name}${labels} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines];
}
