// Trust material of an instance: what its trust documents are written from.

import { type Instant, instantOf } from '../clock.ts';
import type { ConfiguredIssuer } from '../config/settings.ts';
import type { Bytes } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { type TrustedChain, type TrustMaterial, validityOfChain, validityOfLog } from '../trust/material.ts';

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
}

export interface InstanceLog {
  /** Without a final slash. */
  readonly url: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Bytes;
  /** As old as the oldest authority unless given. */
  readonly made?: Instant | undefined;
  /** Of its last SCT; absent while it takes entries. */
  readonly end?: Instant | undefined;
}

export function trustMaterialOf(instance: InstanceTrust, sha256: Sha256): TrustMaterial {
  const { publicUrl, authorities, timestamps, logs, issuers } = instance;
  const oldest = Math.min(...authorities.map((one) => validityOfChain(one).start));
  return {
    instanceUrl: publicUrl,
    operator: new URL(publicUrl).host,
    authorities,
    logs: logs
      .map(({ url: baseUrl, spki, made = instantOf(oldest), end }) => ({
        baseUrl,
        spki,
        logId: sha256(spki),
        validFor: validityOfLog(made, end),
      }))
      .filter(({ validFor: { start, end } }) => end === undefined || end >= start),
    timestampAuthorities: timestamps.map((one) => ({ ...one, uri: `${publicUrl}/api/v1/timestamp` })),
    oidcUrls: issuers
      .filter(({ issuer, provider }) => provider.type === 'email' && !issuer.wildcard)
      .map(({ issuer }) => issuer.url),
  };
}
