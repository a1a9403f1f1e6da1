// Trust material of an instance: what its trust documents are written from.

import type { Authority } from '../certificate/authority.ts';
import type { ConfiguredIssuer } from '../config/settings.ts';
import type { Bytes } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { type TrustMaterial, validityOfChain, validityOfLog } from '../trust/material.ts';

/** What an instance stands for in front of its clients. */
export interface InstanceTrust {
  /** Where the public reaches it, without a final slash. */
  readonly publicUrl: string;
  readonly authority: Authority;
  /** Of its timestamp authority; undefined where it has none. */
  readonly timestampChain: readonly Bytes[] | undefined;
  /** The logs whose SCTs its certificates may carry: URL without a final slash, and SubjectPublicKeyInfo. */
  readonly logs: readonly { readonly url: string; readonly spki: Bytes }[];
  readonly issuers: readonly ConfiguredIssuer[];
}

export function trustMaterialOf(instance: InstanceTrust, sha256: Sha256): TrustMaterial {
  const { publicUrl, authority, timestampChain, logs, issuers } = instance;
  const validFor = validityOfLog(validityOfChain({ chain: authority.chain }).start);
  return {
    instanceUrl: publicUrl,
    operator: new URL(publicUrl).host,
    authorities: [{ chain: authority.chain }],
    logs: logs.map(({ url: baseUrl, spki }) => ({ baseUrl, spki, logId: sha256(spki), validFor })),
    timestampAuthorities:
      timestampChain === undefined ? [] : [{ chain: timestampChain, uri: `${publicUrl}/api/v1/timestamp` }],
    oidcUrls: issuers
      .filter(({ issuer, provider }) => provider.type === 'email' && !issuer.wildcard)
      .map(({ issuer }) => issuer.url),
  };
}
