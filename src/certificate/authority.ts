// Authority: the issuing CA of an instance, its key and its chain, checked once when it is opened.

import { type Instant, instantOf } from '../clock.ts';
import { type Bytes, equal, utf8 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { encodePem } from '../encoding/pem.ts';
import type { HashName } from '../key/algorithm.ts';
import type { Signer, SigningAlgorithm } from '../key/signer.ts';
import { requireStrong } from '../key/strength.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import { Problem } from '../problem.ts';
import { AuthorityError } from './authority-error.ts';
import { type CaCertificate, publicKeyOf, readCaCertificate } from './ca-reader.ts';
import { checkChain } from './chain.ts';

export interface Authority {
  readonly signer: Signer;
  /** DER, issuing CA first, root last. */
  readonly chain: readonly Bytes[];
  /** The same as PEM, each with its final newline. */
  readonly pem: readonly string[];
  /** The issuing CA's subject, DER Name, byte for byte as in its certificate. */
  readonly issuerName: Bytes;
  /** The issuing CA's subjectKeyIdentifier, if it has one. */
  readonly keyIdentifier: Bytes | undefined;
  /** SHA-256 of the issuing CA's SubjectPublicKeyInfo: issuer_key_hash (RFC 6962 section 3.2). */
  readonly keyHash: Bytes;
  /** The latest notBefore of the chain. */
  readonly notBefore: Instant;
  /** The earliest notAfter of the chain. */
  readonly notAfter: Instant;
}

/**
 * The authority of `chain` (DER, issuing CA first, root last) and `signer`. Holds the chain to the path rules of
 * RFC 5280 section 6.1 and Fulcio's VerifyCertChain, the key to the policy for client keys, and the signer to one
 * probe signature under the certificate's key. Throws AuthorityError.
 */
export async function openAuthority(
  chain: readonly Bytes[],
  signer: Signer,
  sha256: Sha256,
  now: Instant,
  verifier: SignatureVerifier,
): Promise<Authority> {
  const certificates = chain.map(readCaCertificate);
  const [issuing] = certificates;
  if (issuing === undefined) throw new AuthorityError('chain_empty', 'the chain has no certificate');
  await checkChain(certificates, now, verifier);
  await checkSigner(issuing, signer, verifier);
  return {
    signer,
    chain,
    pem: chain.map((bytes) => encodePem('CERTIFICATE', bytes)),
    issuerName: issuing.subject,
    keyIdentifier: issuing.keyIdentifier,
    keyHash: sha256(issuing.spki),
    notBefore: instantOf(Math.max(...certificates.map(({ notBefore }) => notBefore))),
    notAfter: instantOf(Math.min(...certificates.map(({ notAfter }) => notAfter))),
  };
}

/** What a signing key is tried with: text, so that its signature can never be taken for one over a certificate. */
export const PROBE = utf8('Mayfly asks whether this key answers for its certificate.');

const HASHES = {
  'ecdsa-p256-sha256': 'SHA-256',
  'ecdsa-p384-sha384': 'SHA-384',
  'ecdsa-p521-sha512': 'SHA-512',
  'rsa-pkcs1-sha256': 'SHA-256',
  ed25519: undefined,
} as const satisfies Record<SigningAlgorithm, HashName | undefined>;

async function checkSigner(
  issuing: CaCertificate,
  signer: Signer,
  verifier: SignatureVerifier,
): Promise<void> {
  const key = publicKeyOf(issuing);
  if (!equal(issuing.spki, signer.publicKey)) {
    throw new AuthorityError(
      'key_mismatch',
      `the private key is not the one of the first certificate (${issuing.title})`,
    );
  }
  try {
    requireStrong(key);
  } catch (cause) {
    const weakness = cause instanceof Problem ? (cause.hint ?? cause.message) : 'it could not be judged';
    throw new AuthorityError('key_weak', `the CA key is refused: ${weakness}`, cause);
  }
  let signature: Bytes;
  try {
    signature = await signer.sign(PROBE);
  } catch (cause) {
    throw new AuthorityError('signer_failed', 'the CA key did not sign when it was tried', cause);
  }
  if (!(await verifier.verify(key, HASHES[signer.algorithm], PROBE, signature))) {
    throw new AuthorityError(
      'signer_failed',
      'what the CA key signed does not verify under the key of its certificate',
    );
  }
}
