// Audit: one line for each decision, and a data point where a dataset is bound; isolates share no counters.

import type { Audit, Trail } from '../audit.ts';
import { problemOf } from '../http/failure.ts';
import { report } from './report.ts';

/** The same labels as `mayfly_issuance_total` on Node; no identity, no claim. */
export function createAudit(dataset: AnalyticsEngineDataset | undefined): Audit {
  return {
    record({ token }: Trail, failure?: unknown) {
      const reason = failure === undefined ? '' : problemOf(failure).reason;
      const result = failure === undefined ? 'issued' : reason === 'RATE_LIMITED' ? 'limited' : 'refused';
      const issuer = token?.issuer.name ?? '';
      report('info', 'issuance', { issuer, result, reason });
      dataset?.writeDataPoint({ indexes: [issuer.slice(0, 96)], blobs: [issuer, result, reason] });
    },
  };
}
