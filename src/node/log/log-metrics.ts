// Log metrics: what a log tells Prometheus of itself.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { LogTimings, OpenLog } from '../../log/open-log.ts';
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

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Returns what to tell of how long the built-in log takes. */
export function logTimings(registry: Registry): LogTimings {
  const histogram = (name: string, help: string): Histogram =>
    new Histogram({ registers: [registry], name, help, buckets: SECONDS });
  const sequencing = histogram(
    'mayfly_log_sequencing_duration_seconds',
    'From when the entries of a commit were taken up until they were durable.',
  );
  const publication = histogram(
    'mayfly_log_publication_duration_seconds',
    'Writing tiles and signing a checkpoint, without the wait for witnesses.',
  );
  return {
    sequenced: (milliseconds) => sequencing.observe(milliseconds / 1000),
    published: (milliseconds) => publication.observe(milliseconds / 1000),
  };
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
