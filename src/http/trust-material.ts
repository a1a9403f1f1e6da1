// Trust material of an instance: what its trust documents are written from.

import { instantOf } from '../clock.ts';
import type { ConfiguredIssuer } from '../config/settings.ts';
import type { Sha256 } from '../encoding/digest.ts';
import {
  type InstanceLog,
  type TrustedChain,
  type TrustedLog,
  type TrustMaterial,
  validityOfChain,
  validityOfLog,
} from '../trust/material.ts';
import type { AlsoTrustedKeys } from './also-trusted.ts';

/** What an instance stands for in front of its clients. */
export interface InstanceTrust {
  /** Where the public reaches it, without a final slash. */
  readonly publicUrl: string;
  /** Those before, in force, and next, oldest first; at least one. */
  readonly authorities: readonly TrustedChain[];
  /** The same of its timestamp authority; none where it has none. */
  readonly timestamps: readonly TrustedChain[];
  /** The logs whose SCTs its certificates may carry. */
  readonly logs: readonly InstanceLog[];
  readonly issuers: readonly ConfiguredIssuer[];
  /** Of the configuration: they stand behind its own. */
  readonly also?: AlsoTrustedKeys | undefined;
}

export function trustMaterialOf(instance: InstanceTrust, sha256: Sha256): TrustMaterial {
  const { publicUrl, issuers, also } = instance;
  const authorities = [...instance.authorities, ...(also?.authorities ?? [])];
  const timestamps = [...instance.timestamps, ...(also?.timestamps ?? [])];
  return {
    instanceUrl: publicUrl,
    operator: new URL(publicUrl).host,
    authorities,
    logs: [
      ...trustedLogs(instance.logs, instance.authorities, sha256),
      ...trustedLogs(also?.logs ?? [], authorities, sha256),
    ],
    timestampAuthorities: timestamps.map((one) => ({ ...one, uri: `${publicUrl}/api/v1/timestamp` })),
    oidcUrls: issuers
      .filter(({ issuer, provider }) => provider.type === 'email' && !issuer.wildcard)
      .map(({ issuer }) => issuer.url),
  };
}

/** A log whose age is not known is as old as the oldest of `authorities`. */
function trustedLogs(
  logs: readonly InstanceLog[],
  authorities: readonly TrustedChain[],
  sha256: Sha256,
): readonly TrustedLog[] {
  const oldest = instantOf(Math.min(...authorities.map((one) => validityOfChain(one).start)));
  return logs
    .map(({ url: baseUrl, spki, made = oldest, end }) => ({
      baseUrl,
      spki,
      logId: sha256(spki),
      validFor: validityOfLog(made, end),
    }))
    .filter(({ validFor: { start, end } }) => end === undefined || end >= start);
}
