// Audit: what is told of each decision: a line for Workers Logs, and a data point where a dataset is bound.

import type { Audit, Trail } from '../audit.ts';
import { auditLine } from '../audit-line.ts';
import type { Settings } from '../config/settings.ts';
import { problemOf } from '../http/failure.ts';
import { sha256 } from './crypto.ts';

export interface AuditOptions {
  /** Without it the lines name nobody. */
  readonly settings: Settings['audit'];
  readonly dataset: Pick<AnalyticsEngineDataset, 'writeDataPoint'> | undefined;
  /** Writes a line. */
  readonly write: (line: string) => void;
}

export function createAudit({ settings, dataset, write }: AuditOptions): Audit {
  return {
    record(trail, failure) {
      const labels = labelsOf(trail, failure);
      // Isolates share no counters: with these labels, those of mayfly_issuance_total, the dataset counts.
      dataset?.writeDataPoint({ indexes: [labels.issuer.slice(0, 96)], blobs: Object.values(labels) });
      const line = settings === undefined ? labels : auditLine(trail, failure, settings.claims, sha256);
      write(JSON.stringify(line));
    },
  };
}

function labelsOf({ token }: Trail, failure: unknown) {
  const reason = failure === undefined ? '' : problemOf(failure).reason;
  const result = failure === undefined ? 'issued' : reason === 'RATE_LIMITED' ? 'limited' : 'refused';
  return { event: 'issuance', issuer: token?.issuer.name ?? '', result, reason };
}
