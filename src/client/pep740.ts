// PEP 740 attestation: the form in which a Python package index takes a signed statement about a distribution.

import { type Bundle, bundleToJSON, isBundleWithDsseEnvelope } from '@sigstore/bundle';
import { ClientError } from './client-error.ts';

export interface Pep740Attestation {
  readonly version: 1;
  readonly verification_material: {
    /** DER, base64. */
    readonly certificate: string;
    readonly transparency_entries: readonly unknown[];
  };
  readonly envelope: {
    /** Base64 both. */
    readonly statement: string;
    readonly signature: string;
  };
}

/** The form has no room for timestamps and wants an entry of a signature log. Throws ClientError `predicate_unavailable`. */
export function pep740Of(bundle: Bundle): Pep740Attestation {
  const { certificate, tlogEntries } = materialOf(bundle);
  if (!isBundleWithDsseEnvelope(bundle) || certificate === undefined)
    throw new ClientError('predicate_unavailable', 'only an attestation can be written as PEP 740 has it');
  if (tlogEntries.length === 0) {
    throw new ClientError(
      'predicate_unavailable',
      'PEP 740 wants an entry of a signature log in each attestation, and this instance has no such log; the Sigstore bundle is complete without',
    );
  }
  const { payload, signatures } = bundle.content.dsseEnvelope;
  return {
    version: 1,
    verification_material: { certificate, transparency_entries: tlogEntries },
    envelope: {
      statement: payload.toString('base64'),
      signature: signatures[0]?.sig.toString('base64') ?? '',
    },
  };
}

function materialOf(bundle: Bundle): {
  readonly certificate?: string;
  readonly tlogEntries: readonly unknown[];
} {
  const { verificationMaterial: material } = bundleToJSON(bundle);
  const certificate = 'certificate' in material ? material.certificate?.rawBytes : undefined;
  return {
    ...(certificate === undefined ? {} : { certificate }),
    tlogEntries: material.tlogEntries ?? [], // left out of the JSON when there is none, whatever the type says
  };
}
