// Bundle: a signature with all that its check needs but the trusted root (sigstore_bundle.proto, v0.3).

import { type Bytes, base64 } from '../../src/encoding/bytes.ts';
import { type RawBytes, rawBytes } from '../../src/trust/protojson.ts';

export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** A signature over an artifact, or over a statement in a DSSE envelope. */
export type BundleContent =
  | {
      readonly kind: 'message-signature';
      /** SHA-256 of the artifact, a hint for finding it. */
      readonly digest: Bytes;
      readonly signature: Bytes;
    }
  | {
      readonly kind: 'dsse';
      readonly payloadType: string;
      readonly payload: Bytes;
      readonly signature: Bytes;
    };

export interface BundleParts {
  readonly content: BundleContent;
  /** The leaf, DER; the chain above it belongs in the trusted root. */
  readonly certificate: Bytes;
  /** TimeStampResp over the signature, DER each. */
  readonly timestamps: readonly Bytes[];
}

export interface Bundle {
  readonly mediaType: typeof BUNDLE_TYPE;
  readonly verificationMaterial: {
    readonly certificate: RawBytes;
    readonly timestampVerificationData: { readonly rfc3161Timestamps: readonly SignedTimestamp[] };
  };
  readonly messageSignature?: {
    readonly messageDigest: { readonly algorithm: 'SHA2_256'; readonly digest: string };
    readonly signature: string;
  };
  readonly dsseEnvelope?: {
    readonly payload: string;
    readonly payloadType: string;
    readonly signatures: readonly [{ readonly sig: string }];
  };
}

interface SignedTimestamp {
  readonly signedTimestamp: string;
}

export function bundleOf({ content, certificate, timestamps }: BundleParts): Bundle {
  return {
    mediaType: BUNDLE_TYPE,
    verificationMaterial: {
      certificate: rawBytes(certificate),
      timestampVerificationData: {
        rfc3161Timestamps: timestamps.map((timestamp) => ({ signedTimestamp: base64(timestamp) })),
      },
    },
    ...signed(content),
  };
}

function signed(content: BundleContent): Pick<Bundle, 'messageSignature' | 'dsseEnvelope'> {
  const signature = base64(content.signature);
  switch (content.kind) {
    case 'message-signature':
      return {
        messageSignature: {
          messageDigest: { algorithm: 'SHA2_256', digest: base64(content.digest) },
          signature,
        },
      };
    case 'dsse': {
      const { payloadType, payload } = content;
      return { dsseEnvelope: { payload: base64(payload), payloadType, signatures: [{ sig: signature }] } };
    }
    default:
      return content satisfies never;
  }
}
