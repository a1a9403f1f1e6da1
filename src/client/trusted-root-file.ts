// Trusted root file: the keys that a signature is checked with, read from JSON (TrustedRoot of sigstore_trustroot.proto).

import { TrustedRoot } from '@sigstore/protobuf-specs';
import { TRUSTED_ROOT_TYPE } from '../trust/trusted-root.ts';
import { ClientError } from './client-error.ts';

/** `from` names the file or the instance. Takes a client trust configuration as well. Throws ClientError `trusted_root_malformed`. */
export function readTrustedRoot(text: string, from: string): TrustedRoot {
  try {
    const json: unknown = JSON.parse(text);
    const inner: unknown =
      typeof json === 'object' && json !== null && 'trustedRoot' in json ? json.trustedRoot : json;
    const root = TrustedRoot.fromJSON(inner);
    if (root.mediaType === TRUSTED_ROOT_TYPE && root.certificateAuthorities.length > 0) return root;
  } catch {
    // told below
  }
  throw new ClientError(
    'trusted_root_malformed',
    `${from} holds no trusted root with a certificate authority (${TRUSTED_ROOT_TYPE})`,
  );
}
