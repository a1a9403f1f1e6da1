// Log metrics: what a log tells Prometheus of itself.

import { Counter, Gauge, type Registry } from 'prom-client';
import type { OpenLog } from '../../log/open-log.ts';
import type { Problem } from '../../problem.ts';

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

/** Returns what to tell of each error that clients only see as 503, or not at all. */
export function logErrors(registry: Registry): () => void {
  const errors = new Counter({
    registers: [registry],
    name: 'mayfly_log_errors_total',
    help: 'Failures to write, sign or publish of the built-in log; most are tried again.',
  });
  return () => errors.inc();
}

/** Of the log that takes entries: what its newest tree head covers and when that was signed, what is durable, and whether more can be written. */
export function treeMetrics(registry: Registry, log: Pick<OpenLog, 'reader' | 'ready' | 'size'>): void {
  const registers = [registry];
  new Gauge({
    registers,
    name: 'mayfly_log_up',
    help: 'Whether the built-in log can be written (1).',
    aggregator: 'min',
    collect() {
      this.set(log.ready ? 1 : 0);
    },
  });
  new Gauge({
    registers,
    name: 'mayfly_log_durable_entries',
    help: 'Entries that a crash can no longer lose; the published checkpoint follows.',
    aggregator: 'max',
    collect() {
      if (log.ready) this.set(log.size);
    },
  });
  new Gauge({
    registers,
    name: 'mayfly_log_tree_size',
    help: 'Entries that the published checkpoint covers.',
    aggregator: 'max',
    collect() {
      const { reader } = log;
      if (reader.opened) this.set(reader.size);
    },
  });
  new Gauge({
    registers,
    name: 'mayfly_log_tree_timestamp_seconds',
    help: 'Unix time of the published tree head; it is renewed every minute.',
    aggregator: 'max',
    collect() {
      const { reader } = log;
      if (reader.opened) this.set(reader.publication.treeHead.timestamp / 1000);
    },
  });
}
