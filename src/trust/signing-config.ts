// Signing configuration: the services that a client signs with (SigningConfig of sigstore_trustroot.proto).

import { type TrustMaterial, type Validity, validityOfChain } from './material.ts';
import { type TimeRange, timeRange } from './protojson.ts';

/** The one version that clients accept. */
export const SIGNING_CONFIG_TYPE = 'application/vnd.dev.sigstore.signingconfig.v0.2+json';

export interface SigningConfig {
  readonly mediaType: typeof SIGNING_CONFIG_TYPE;
  readonly caUrls: readonly Service[];
  readonly oidcUrls: readonly Service[];
  readonly rekorTlogUrls: readonly Service[];
  readonly tsaUrls: readonly Service[];
  /** Only beside services to select from: sigstore-js takes its presence for a demand. */
  readonly rekorTlogConfig?: Selection;
  readonly tsaConfig?: Selection;
}

interface Service {
  readonly url: string;
  readonly majorApiVersion: 1 | 2;
  readonly validFor: TimeRange;
  readonly operator: string;
}

/** sigstore-js knows no other selector. */
interface Selection {
  readonly selector: 'ANY';
}

/** What has been retired is left out: one signs with keys in force only. */
export function signingConfig(material: TrustMaterial): SigningConfig {
  const { instanceUrl, operator, authorities, timestampAuthorities, signatureLogs = [] } = material;
  const inForce = authorities.map(validityOfChain).filter(({ end }) => end === undefined);
  const service = (url: string, validFor: Validity, majorApiVersion: 1 | 2 = 1): Service => ({
    url,
    majorApiVersion,
    validFor: timeRange(validFor),
    operator,
  });

  const [ca] = inForce.toSorted((a, b) => a.start - b.start);
  const caUrls = ca === undefined ? [] : [service(instanceUrl, ca)];
  const oidcUrls = ca === undefined ? [] : (material.oidcUrls ?? []).map((url) => service(url, ca));
  const rekorTlogUrls = signatureLogs
    .filter(({ validFor }) => validFor.end === undefined)
    .map(({ baseUrl, validFor, majorApiVersion }) => service(baseUrl, validFor, majorApiVersion));
  const tsaUrls = timestampAuthorities
    .filter(({ retired }) => retired === undefined)
    // One that is trusted already and does not sign yet answers at the same place.
    .filter(({ uri }, i, all) => all.findIndex((one) => one.uri === uri) === i)
    .map((trusted) => service(trusted.uri, validityOfChain(trusted)));

  return {
    mediaType: SIGNING_CONFIG_TYPE,
    caUrls,
    oidcUrls,
    rekorTlogUrls,
    tsaUrls,
    ...(rekorTlogUrls.length === 0 ? {} : { rekorTlogConfig: { selector: 'ANY' } }),
    ...(tsaUrls.length === 0 ? {} : { tsaConfig: { selector: 'ANY' } }),
  };
}
