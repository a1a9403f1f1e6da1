// Signature: a TBSCertificate under the authority's key becomes a Certificate (RFC 5280 section 4.1.1).

import type { Bytes } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import { Problem } from '../problem.ts';
import type { Authority } from './authority.ts';
import type { Profile } from './profile.ts';

/** Throws Problem `signer_unavailable` when the key cannot be used now. */
export async function signTbs(tbs: Bytes, authority: Authority, profile: Profile): Promise<Bytes> {
  let signature: Bytes;
  try {
    signature = await authority.signer.sign(tbs);
  } catch (cause) {
    throw new Problem('signer_unavailable', { cause });
  }
  return der.sequence(tbs, profile.signatureAlgorithm, der.bitStringHead(signature.length), signature);
}
