// Authority files: an authority opened from its PEM chain and its key, wherever that is.

import { type Authority, openAuthority } from '../../certificate/authority.ts';
import { AuthorityError } from '../../certificate/authority-error.ts';
import { readCaCertificate } from '../../certificate/ca-reader.ts';
import { readChain } from '../../certificate/chain.ts';
import type { Clock } from '../../clock.ts';
import { type Bytes, equal } from '../../encoding/bytes.ts';
import type { Sha256 } from '../../encoding/digest.ts';
import type { Signer } from '../../key/signer.ts';
import type { SignatureVerifier } from '../../key/verifier.ts';
import { nativeSigner } from '../system/native-signer.ts';
import { InstanceError } from './data-folder.ts';
import { loadKey, read } from './instance-key.ts';

/** An existing CA: path of its PEM chain (issuing CA first, root last), and its private key: a path, or wherever it is. */
export type ExistingCa =
  | { readonly chain: string; readonly key: string; readonly passphrase?: string }
  /** Opens the key of this SubjectPublicKeyInfo; rejects with an Error with a sentence. */
  | { readonly chain: string; readonly signer: (publicKey: Bytes) => Promise<Signer> };

/** What an authority is checked with. */
export interface AuthorityChecks {
  readonly clock: Clock;
  readonly sha256: Sha256;
  readonly verifier: SignatureVerifier;
}

/** Throws InstanceError. */
export async function existingAuthority(
  ca: ExistingCa,
  options: AuthorityChecks,
  warnings: string[],
): Promise<Authority> {
  const key =
    'signer' in ca
      ? await ca.signer(await issuingKey(ca.chain))
      : nativeSigner(await loadKey(ca.key, ca.passphrase, warnings));
  const authority = await loadAuthority([ca.chain], key, options);
  const anchor = authority.chain.at(-1);
  if (anchor !== undefined) {
    const { issuer, subject, title } = readCaCertificate(anchor);
    if (!equal(issuer, subject)) {
      warnings.push(
        `${ca.chain} does not end in a root but in ${title}: some clients accept only a whole chain`,
      );
    }
  }
  return authority;
}

/** SubjectPublicKeyInfo of the first certificate. */
async function issuingKey(file: string): Promise<Bytes> {
  const unusable = (error: AuthorityError) =>
    new InstanceError('chain_unusable', `${file}: ${error.message}`, error);
  try {
    const [first] = readChain(await read(file));
    if (first === undefined) throw new AuthorityError('chain_empty', 'the chain has no certificate');
    return readCaCertificate(first).spki;
  } catch (error) {
    if (error instanceof InstanceError && error.code === 'file_missing')
      throw new InstanceError(
        'file_missing',
        `${file} is missing: restore it from a backup, or have the key certified: mayfly ca csr, then mayfly ca import`,
        error,
      );
    throw error instanceof AuthorityError ? unusable(error) : error;
  }
}

/** The files hold the chain in this order. Throws InstanceError. */
export async function loadAuthority(
  files: readonly string[],
  signer: Signer,
  options: AuthorityChecks,
): Promise<Authority> {
  try {
    const chain: Bytes[] = [];
    for (const file of files) chain.push(...readChain(await read(file)));
    return await openChain(chain, signer, options);
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error;
    throw new InstanceError('chain_unusable', `${files.join(' and ')}: ${error.message}`, error);
  }
}

/** Throws AuthorityError. */
export function openChain(
  chain: readonly Bytes[],
  signer: Signer,
  options: AuthorityChecks,
): Promise<Authority> {
  return openAuthority(chain, signer, options.sha256, options.clock.now(), options.verifier);
}
