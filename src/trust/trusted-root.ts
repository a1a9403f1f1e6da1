// Trusted root: the keys that a client verifies with (TrustedRoot of sigstore_trustroot.proto).

import { RelativeDistinguishedNames } from 'pkijs';
import { readCaCertificate } from '../certificate/ca-reader.ts';
import { type Bytes, base64 } from '../encoding/bytes.ts';
import { readSubjectPublicKeyInfo } from '../key/public-key.ts';
import * as oid from '../oid.ts';
import { type TrustedChain, type TrustedLog, type TrustMaterial, validityOfChain } from './material.ts';
import { type RawBytes, rawBytes, type TimeRange, timeRange } from './protojson.ts';

/** The one version that clients accept. */
export const TRUSTED_ROOT_TYPE = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';

export interface TrustedRoot {
  readonly mediaType: typeof TRUSTED_ROOT_TYPE;
  readonly tlogs: readonly LogInstance[];
  readonly certificateAuthorities: readonly CertificateAuthority[];
  readonly ctlogs: readonly LogInstance[];
  readonly timestampAuthorities: readonly CertificateAuthority[];
}

interface LogInstance {
  readonly baseUrl: string;
  readonly hashAlgorithm: 'SHA2_256';
  readonly publicKey: RawBytes & { readonly keyDetails: KeyDetails; readonly validFor: TimeRange };
  readonly logId: { readonly keyId: string };
}

interface CertificateAuthority {
  readonly subject: { readonly organization: string; readonly commonName: string };
  readonly uri: string;
  readonly certChain: { readonly certificates: readonly RawBytes[] };
  readonly validFor: TimeRange;
}

export function trustedRoot(material: TrustMaterial): TrustedRoot {
  const { instanceUrl, operator, authorities, logs, timestampAuthorities, signatureLogs = [] } = material;
  return {
    mediaType: TRUSTED_ROOT_TYPE,
    tlogs: signatureLogs.map(logInstance),
    certificateAuthorities: authorities.map((trusted) =>
      certificateAuthority(trusted, instanceUrl, operator),
    ),
    ctlogs: logs.map(logInstance),
    timestampAuthorities: timestampAuthorities.map((trusted) =>
      certificateAuthority(trusted, trusted.uri, operator),
    ),
  };
}

function logInstance({ baseUrl, spki, logId, validFor }: TrustedLog): LogInstance {
  return {
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: { ...rawBytes(spki), keyDetails: keyDetailsOf(spki), validFor: timeRange(validFor) },
    logId: { keyId: base64(logId) },
  };
}

function certificateAuthority(trusted: TrustedChain, uri: string, operator: string): CertificateAuthority {
  return {
    subject: subjectOf(trusted.chain, operator),
    uri,
    certChain: { certificates: trusted.chain.map(rawBytes) },
    validFor: timeRange(validityOfChain(trusted)),
  };
}

/** The root's subject, as the proto has it; clients want both members to be there. */
function subjectOf(chain: readonly Bytes[], operator: string): CertificateAuthority['subject'] {
  const root = chain.at(-1);
  const name = root === undefined ? [] : namesOf(readCaCertificate(root).subject);
  const find = (type: oid.Oid): string | undefined => name.find(([found]) => found === type)?.[1];
  const organization = find(oid.organizationName) ?? operator;
  return { organization, commonName: find(oid.commonName) ?? organization };
}

function namesOf(name: Bytes): readonly (readonly [type: string, value: string])[] {
  const { typesAndValues } = RelativeDistinguishedNames.fromBER(name);
  return typesAndValues.map(({ type, value }) => [type, String(value.valueBlock.value)] as const);
}

const ECDSA = {
  'P-256': 'PKIX_ECDSA_P256_SHA_256',
  'P-384': 'PKIX_ECDSA_P384_SHA_384',
  'P-521': 'PKIX_ECDSA_P521_SHA_512',
} as const;

const RSA = [2048, 3072, 4096] as const;

type KeyDetails =
  | (typeof ECDSA)[keyof typeof ECDSA]
  | `PKIX_RSA_PKCS1V15_${(typeof RSA)[number]}_SHA256`
  | 'PKIX_ED25519';

/** PublicKeyDetails of a log key (sigstore_common.proto). Throws a TypeError for a key that it has no name for. */
export function keyDetailsOf(spki: Bytes): KeyDetails {
  const key = readSubjectPublicKeyInfo(spki);
  switch (key?.type) {
    case 'ecdsa':
      return ECDSA[key.curve];
    case 'ed25519':
      return 'PKIX_ED25519';
    case 'rsa': {
      const bits = RSA.find((size) => size === key.bits);
      if (bits !== undefined) return `PKIX_RSA_PKCS1V15_${bits}_SHA256`;
    }
  }
  throw new TypeError(
    'a log key is ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2048, 3072 or 4096 bits',
  );
}
