// Log metrics: what a log tells Prometheus of itself.

import { Counter, Gauge, type Registry } from 'prom-client';
import type { Reader } from '../log/reader.ts';
import type { Problem } from '../problem.ts';

export interface LogMetrics {
  onSubmission(failure: Problem | undefined): void;
}

/** Counts the submissions of a log that takes them. */
export function submissionMetrics(registry: Registry): LogMetrics {
  const submissions = new Counter({
    registers: [registry],
    name: 'mayfly_log_submissions_total',
    help: 'Precertificates submitted over add-pre-chain, by result and reason.',
    labelNames: ['result', 'reason'],
  });
  return {
    onSubmission(failure) {
      submissions.inc({
        result: failure === undefined ? 'logged' : 'refused',
        reason: failure === undefined ? '' : failure.reason,
      });
    },
  };
}

/** Size and age of the newest tree head of the log that takes entries. */
export function treeMetrics(registry: Registry, current: () => Reader): void {
  new Gauge({
    registers: [registry],
    name: 'mayfly_log_tree_size',
    help: 'Entries that the published checkpoint covers.',
    collect() {
      const reader = current();
      if (reader.opened) this.set(reader.size);
    },
  });
  new Gauge({
    registers: [registry],
    name: 'mayfly_log_tree_timestamp_seconds',
    help: 'Unix time of the published tree head; it is renewed every minute.',
    collect() {
      const reader = current();
      if (reader.opened) this.set(reader.publication.treeHead.timestamp / 1000);
    },
  });
}
