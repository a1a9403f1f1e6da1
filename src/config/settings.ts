// Settings: what an instance runs with, read from one configuration file, or every reason why it cannot be.

import type * as z from 'zod';
import { faultOf, type Rate } from '../admission/gcra.ts';
import { DEFAULT_RATES, type LimitName, type Override } from '../admission/limit.ts';
import type { Kinds, Provider } from '../identity/provider.ts';
import type { AlgorithmName } from '../key/algorithm.ts';
import type { Policy } from '../policy/policy.ts';
import type { Issuer } from '../token/issuer.ts';
import { configuredIssuers } from './configured-issuer.ts';
import { readDocument } from './document.ts';
import { Findings } from './findings.ts';
import { fromFulcio } from './fulcio.ts';
import { type Mistake, SettingsError } from './mistake.ts';
import { settingsSchema } from './schema.ts';

export interface Settings {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly grpcPort: number;
  readonly metricsPort: number;
  readonly drainDelayMs: number;
  /** Folder. */
  readonly data: string;
  readonly log: LogSettings;
  /** An existing CA; paths of PEM files. */
  readonly ca?: { readonly chain: string; readonly key: string; readonly passphraseFile?: string };
  /** For the keys that Mayfly makes itself. */
  readonly keyPassphraseFile?: string;
  readonly clientSigningAlgorithms: readonly string[];
  readonly errors: 'helpful' | 'terse';
  readonly limits: LimitSettings;
  readonly issuers: readonly ConfiguredIssuer[];
}

export type LogSettings =
  | { readonly kind: 'builtin' }
  | { readonly kind: 'none' }
  | { readonly kind: 'remote'; readonly url: string /** PEM. */; readonly publicKey?: string };

export interface LimitSettings {
  readonly enabled: boolean;
  readonly backend: 'memory' | 'redis';
  readonly redisUrl?: string;
  readonly onBackendError: 'local' | 'open' | 'closed';
  readonly defaults: Readonly<Record<LimitName, Rate>>;
  readonly overrides: readonly Override[];
}

export interface ConfiguredIssuer {
  readonly issuer: Issuer;
  readonly provider: Provider;
  /** Every token of an issuer without one may have a certificate. */
  readonly policy?: Policy;
  readonly listing: IssuerListing;
}

/** One element of `issuers` in GET /api/v2/configuration; exactly one of the URLs is there. */
export interface IssuerListing {
  readonly issuerUrl?: string;
  readonly wildcardIssuerUrl?: string;
  readonly audience: string;
  readonly challengeClaim: string;
  readonly spiffeTrustDomain: string;
  readonly issuerType: string;
  readonly subjectDomain: string;
  readonly skipEmailVerification: boolean;
}

export interface SettingsOptions {
  /** For messages. */
  readonly fileName: string;
  readonly kinds: Kinds;
  /** Text of a file that the configuration names; throws where there is none. */
  readonly readFile?: (path: string) => string;
}
