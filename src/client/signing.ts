// Signing: an artifact, or a statement about one, becomes a Sigstore bundle that carries all but the trusted root.

import { type Bundle, isBundleWithDsseEnvelope, toMessageSignatureBundle } from '@sigstore/bundle';
import type { SigningConfig } from '@sigstore/protobuf-specs';
import {
  DSSEBundleBuilder,
  InternalError,
  MessageSignatureBundleBuilder,
  RekorWitness,
  TSAWitness,
  type Witness,
} from '@sigstore/sign';
import type { IssuerListing } from '../config/settings.ts';
import { CertifiedKey } from './certified-key.ts';
import { ClientError, type ObstacleCode } from './client-error.ts';
import { challengeOf, type IdentityToken } from './identity-token.ts';
import type { RemoteInstance } from './remote-instance.ts';
import { createSigningKey, type SigningKey } from './signing-key.ts';
import { PAYLOAD_TYPE, type Statement } from './statement.ts';

export interface SigningOptions {
  readonly instance: RemoteInstance;
  readonly config: SigningConfig;
  readonly listings: readonly IssuerListing[];
  readonly token: IdentityToken;
  /** The one that the token is for; undefined where it is for any, and each signature has a key of its own. */
  readonly key?: SigningKey | undefined;
}

/** For each attempt and service. */
const FETCH = { timeout: 10_000, retry: { retries: 2, minTimeout: 250 } };

/** A bundle v0.3 over the artifact's bytes. Throws ClientError. */
export async function signArtifact(data: Uint8Array, options: SigningOptions): Promise<Bundle> {
  const { signer, witnesses } = partsOf(options);
  const builder = new MessageSignatureBundleBuilder({ signer, witnesses });
  const made = await settled(builder.create({ data: Buffer.from(data) }));
  return withSingleCertificate(made);
}

/** A bundle v0.3 with the statement in a DSSE envelope. Throws ClientError. */
export async function signStatement(statement: Statement, options: SigningOptions): Promise<Bundle> {
  const { signer, witnesses } = partsOf(options);
  const builder = new DSSEBundleBuilder({ signer, witnesses, certificateChain: false });
  const data = Buffer.from(JSON.stringify(statement));
  return settled(builder.create({ data, type: PAYLOAD_TYPE }));
}

function partsOf(options: SigningOptions): { readonly signer: CertifiedKey; readonly witnesses: Witness[] } {
  const { instance, token, listings, key = createSigningKey() } = options;
  return {
    signer: new CertifiedKey(instance.url, token, challengeOf(token, listings), key),
    witnesses: witnessesOf(options),
  };
}

/** One timestamp, and an entry in the signature log where the instance has one. */
function witnessesOf({ instance, config }: SigningOptions): Witness[] {
  const tsa = newest(config.tsaUrls, 1);
  const rekor = newest(config.rekorTlogUrls, 2);
  const witnesses: Witness[] = [];
  if (rekor !== undefined) {
    const { url, majorApiVersion } = rekor;
    witnesses.push(
      new RekorWitness({ rekorBaseURL: instance.reach(url, config), majorApiVersion, ...FETCH }),
    );
  }
  if (tsa !== undefined)
    witnesses.push(new TSAWitness({ tsaBaseURL: instance.reach(tsa.url, config), ...FETCH }));
  if (witnesses.length > 0) return witnesses;
  throw new ClientError(
    'instance_unusable',
    `${instance.url} has no timestamp authority, without which a signature holds for ten minutes only`,
  );
}

type Service = SigningConfig['tsaUrls'][number];

/** Of the services in force whose interface we speak, the newest interface and then the newest service. */
function newest(services: readonly Service[], maxVersion: number): Service | undefined {
  const now = Date.now();
  const startOf = ({ validFor }: Service): number => validFor?.start?.getTime() ?? 0;
  const [first] = services
    .filter(({ majorApiVersion, validFor }) => {
      const end = validFor?.end?.getTime() ?? Number.POSITIVE_INFINITY;
      return majorApiVersion <= maxVersion && end >= now;
    })
    .sort((a, b) => b.majorApiVersion - a.majorApiVersion || startOf(b) - startOf(a));
  return first;
}

const REFUSED: Readonly<Record<string, ObstacleCode>> = {
  TSA_CREATE_TIMESTAMP_ERROR: 'timestamp_refused',
  TLOG_CREATE_ENTRY_ERROR: 'signature_log_refused',
  TLOG_FETCH_ENTRY_ERROR: 'signature_log_refused',
};

async function settled<T>(making: Promise<T>): Promise<T> {
  try {
    return await making;
  } catch (failure) {
    const code = failure instanceof InternalError ? REFUSED[failure.code] : undefined;
    if (code === undefined || !(failure instanceof Error)) throw failure;
    throw new ClientError(code, `the signature could not be completed: ${failure.message}`, failure);
  }
}

/** @sigstore/sign still writes signatures over artifacts as version 0.2, with a certificate chain. */
function withSingleCertificate(made: Bundle): Bundle {
  const { content, verificationMaterial } = made;
  if (isBundleWithDsseEnvelope(made) || content.$case !== 'messageSignature') return made;
  const { signature, messageDigest } = content.messageSignature;
  const material = verificationMaterial.content;
  const certificate =
    material.$case === 'x509CertificateChain' ? material.x509CertificateChain.certificates[0] : undefined;
  if (certificate === undefined) return made;
  const bundle = toMessageSignatureBundle({
    digest: messageDigest.digest,
    signature,
    certificate: certificate.rawBytes,
    certificateChain: false,
  });
  bundle.verificationMaterial.tlogEntries = verificationMaterial.tlogEntries;
  bundle.verificationMaterial.timestampVerificationData = verificationMaterial.timestampVerificationData;
  return bundle;
}
