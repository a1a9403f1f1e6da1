// What tests of the log on object storage share: logs in a bucket, with the ledger of everything that they signed.

import type { OpenLog } from '../../../src/log/open-log.ts';
import { openS3Log, type S3LogOptions } from '../../../src/node/log/s3-log.ts';
import { LogLedger } from '../../fakes/log-ledger.ts';
import type { S3Server } from '../../fakes/s3.ts';
import type { AuditedLog } from '../log/audit.ts';
import { ManualClock } from '../log/support.ts';

/** Of an operation: it is tried once, or until it is answered. */
export const ONE_TRY = { operation: 0 };
export const PATIENT = { pause: 2, longest: 20, operation: 20_000 };

export class BucketRig {
  readonly clock = new ManualClock();
  readonly ledger = new LogLedger();
  readonly errors: unknown[] = [];
  readonly #server: S3Server;
  readonly #prefix: string;

  constructor(server: S3Server, prefix: string) {
    this.#server = server;
    this.#prefix = prefix;
  }

  /** Nothing is published by itself. */
  open(options: Partial<S3LogOptions> & { endpoint?: string; patience?: object } = {}): Promise<OpenLog> {
    const { endpoint, bucket, region, credentials } = this.#server;
    const { endpoint: other = endpoint, patience, ...rest } = options;
    return openS3Log({
      origin: 'log.example.com/2026',
      signer: this.ledger.signer,
      clock: this.clock,
      onError: (error) => this.errors.push(error),
      publicationDelay: 2 ** 30,
      refresh: 2 ** 30,
      beat: 50,
      limits: { retry: 2 },
      bucket: { endpoint: other, bucket, region, prefix: this.#prefix, credentials, patience },
      ...rest,
    });
  }

  /** As LogLedger.append: how many were refused. */
  append(log: OpenLog, count: number): Promise<number> {
    return this.ledger.append((entry) => log.log.append(entry), count);
  }

  check(log: OpenLog): Promise<AuditedLog> {
    return this.ledger.check(log.reader);
  }
}

/** Until an append has a chance. */
export async function untilReady(log: Pick<OpenLog, 'ready'>): Promise<void> {
  while (!log.ready) await new Promise((resolve) => setTimeout(resolve, 2));
}
