// Metrics: what is true of the whole deployment and not of one isolate, as Prometheus reads it.

import type { Authority } from '../certificate/authority.ts';
import type { Instant } from '../clock.ts';
import { VERSION } from '../version.ts';
import type { EdgeLog } from './edge-log.ts';

const TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Counters of issuances are in the logs and in Analytics Engine: a scrape meets another isolate each time. */
export async function metricsText(
  authority: Authority,
  log: EdgeLog | undefined,
  now: Instant,
): Promise<Response> {
  const lines = [
    ...gauge('fulcio_build_info', 'Version that runs.', 1, `{version="${VERSION}"}`),
    ...gauge(
      'mayfly_ca_not_after_seconds',
      'Unix time at which the first certificate of the CA chain expires.',
      authority.notAfter / 1000,
    ),
    ...(log === undefined ? [] : await logLines(log, now)),
  ];
  return new Response(`${lines.join('\n')}\n`, { headers: { 'content-type': TYPE } });
}

async function logLines(log: EdgeLog, now: Instant): Promise<readonly string[]> {
  const reader = await log.reader().catch(() => undefined);
  const up = gauge('mayfly_log_up', 'Whether the log can be asked.', reader === undefined ? 0 : 1);
  if (reader === undefined) return up;
  const { size, timestamp } = reader.publication.treeHead;
  return [
    ...up,
    ...gauge('mayfly_log_published_entries', 'Entries that the newest checkpoint covers.', size),
    ...gauge(
      'mayfly_log_checkpoint_age_seconds',
      'Age of the newest checkpoint.',
      Math.max(0, now - timestamp) / 1000,
    ),
  ];
}

function gauge(name: string, help: string, value: number, labels = ''): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name}${labels} ${value}`];
}
