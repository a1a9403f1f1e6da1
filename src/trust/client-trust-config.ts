// Client trust configuration: both trust documents in one file, as sigstore-python wants them (ClientTrustConfig).

import type { TrustMaterial } from './material.ts';
import { type SigningConfig, signingConfig } from './signing-config.ts';
import { type TrustedRoot, trustedRoot } from './trusted-root.ts';

export const CLIENT_TRUST_CONFIG_TYPE = 'application/vnd.dev.sigstore.clienttrustconfig.v0.1+json';

export interface ClientTrustConfig {
  readonly mediaType: typeof CLIENT_TRUST_CONFIG_TYPE;
  readonly trustedRoot: TrustedRoot;
  readonly signingConfig: SigningConfig;
}

export function clientTrustConfig(material: TrustMaterial): ClientTrustConfig {
  return {
    mediaType: CLIENT_TRUST_CONFIG_TYPE,
    trustedRoot: trustedRoot(material),
    signingConfig: signingConfig(material),
  };
}
