// Environment: what a deployment gives the Worker: its bindings to everything else, and texts.

import type { KeysService } from './keys-service.ts';
import type { LimitService } from './limit-service.ts';
import type { LogService } from './log-service.ts';
import type { SignerService } from './signer-service.ts';
import type { KeySecrets, Overrides } from './variables.ts';

export interface Environment extends KeySecrets, Overrides {
  /** Sent to the log where that is elsewhere. */
  readonly LOG_BEARER?: string;
  readonly LOG_OBJECT: DurableObjectNamespace<LogService & Rpc.DurableObjectBranded>;
  readonly LIMIT_OBJECT: DurableObjectNamespace<LimitService & Rpc.DurableObjectBranded>;
  readonly KEYS_OBJECT: DurableObjectNamespace<KeysService & Rpc.DurableObjectBranded>;
  /** The public objects of the log. */
  readonly LOG_BUCKET: R2Bucket;
  /** A Worker of its own that holds the private keys. */
  readonly SIGNER?: Service<SignerService & Rpc.WorkerEntrypointBranded>;
  /** Workers Analytics Engine: one data point for each issuance. */
  readonly ISSUANCES?: AnalyticsEngineDataset;
}
