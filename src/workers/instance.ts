// Instance: the authority and the keys that an isolate signs with, from secrets or from a signer Worker.

import { type Authority, openAuthority } from '../certificate/authority.ts';
import { readChain } from '../certificate/chain.ts';
import { systemClock } from '../clock.ts';
import type { Bytes } from '../encoding/bytes.ts';
import type { Signer } from '../key/signer.ts';
import { webCryptoVerifier } from '../web/webcrypto-verifier.ts';
import { sha256 } from './crypto.ts';
import type { Environment } from './environment.ts';
import { signerOf } from './signer-choice.ts';

export interface Instance {
  readonly authority: Authority;
  /** Undefined where no timestamp authority was set up. */
  readonly timestamp: { readonly signer: Signer; readonly chain: readonly Bytes[] } | undefined;
}

/** Throws an AuthorityError, or an Error that names the secret that cannot be used. */
export async function openInstance(environment: Environment): Promise<Instance> {
  const { CA_CHAIN, TIMESTAMP_CHAIN } = environment;
  if (CA_CHAIN === undefined) throw new Error('the secret CA_CHAIN is not set');
  const signer = await signerOf(environment, 'CA_KEY');
  const authority = await openAuthority(
    readChain(CA_CHAIN),
    signer,
    sha256,
    systemClock.now(),
    webCryptoVerifier,
  );
  const timestamp =
    TIMESTAMP_CHAIN === undefined
      ? undefined
      : { chain: readChain(TIMESTAMP_CHAIN), signer: await signerOf(environment, 'TIMESTAMP_KEY') };
  return { authority, timestamp };
}
