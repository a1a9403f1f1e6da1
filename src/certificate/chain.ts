// Chain: CA certificates from the issuing one to the root, read and checked as a path (RFC 5280 section 6.1).

import type { Instant } from '../clock.ts';
import { type Bytes, equal } from '../encoding/bytes.ts';
import { decodePem } from '../encoding/pem.ts';
import { recognize } from '../key/signature-algorithm.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import * as oid from '../oid.ts';
import { AuthorityError } from './authority-error.ts';
import { type CaCertificate, publicKeyOf } from './ca-reader.ts';

/** Critical extensions that are evaluated here, or that bind the relying party alone. */
const RECOGNIZED: ReadonlySet<string> = new Set([
  oid.basicConstraints,
  oid.keyUsage,
  oid.extKeyUsage,
  oid.subjectKeyIdentifier,
  oid.authorityKeyIdentifier,
  oid.subjectAltName,
  oid.nameConstraints,
  oid.certificatePolicies,
  oid.policyMappings,
  oid.policyConstraints,
  oid.inhibitAnyPolicy,
]);

/** The certificates in `pem`, in order, DER. Throws AuthorityError when there are none or one is damaged. */
export function readChain(pem: string): readonly Bytes[] {
  const found = decodePem(pem).filter(({ label }) => label === 'CERTIFICATE');
  const begun = pem.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
  if (begun === 0) throw new AuthorityError('chain_empty', 'there is no PEM certificate in it');
  if (begun !== found.length) {
    throw new AuthorityError('certificate_malformed', 'one of its PEM certificates is cut off or not base64');
  }
  return found.map((block) => block.der);
}

/**
 * The path rules for a chain whose last certificate is the trust anchor: names, CA bits, dates, path lengths,
 * code signing, and every signature. Throws AuthorityError.
 */
export async function checkChain(
  chain: readonly CaCertificate[],
  now: Instant,
  verifier: SignatureVerifier,
): Promise<void> {
  for (const [i, certificate] of chain.entries()) {
    const name = `certificate ${i + 1} of ${chain.length} (${certificate.title})`;
    checkPlace(chain, i, name);
    checkCertificate(certificate, name, now);
    checkPathLength(chain, i, name);
    checkPurpose(chain, i, name);
  }
  for (const [i, certificate] of chain.entries()) {
    const anchor = i === chain.length - 1;
    const selfIssued = equal(certificate.issuer, certificate.subject);
    const above = anchor ? certificate : chain[i + 1];
    if (above === undefined || (anchor && !selfIssued)) continue; // a trust anchor need not sign itself
    await checkLink(certificate, above, `certificate ${i + 1} of ${chain.length}`, verifier);
  }
}

function checkPlace(chain: readonly CaCertificate[], i: number, name: string): void {
  const [certificate, above] = [chain[i], chain[i + 1]];
  if (certificate === undefined || above === undefined) return;
  if (chain.some((other, j) => j !== i && equal(other.der, certificate.der))) {
    throw new AuthorityError('certificate_repeated', `${name} is in the chain twice`);
  }
  if (!equal(certificate.issuer, above.subject)) {
    throw new AuthorityError(
      'chain_order',
      `${name} was not issued by the one after it (${above.title}): put the issuing CA first and the root last`,
    );
  }
}

function checkCertificate(certificate: CaCertificate, name: string, now: Instant): void {
  const demand = (met: boolean, code: AuthorityError['code'], sentence: string): void => {
    if (!met) throw new AuthorityError(code, `${name} ${sentence}`);
  };
  demand(certificate.isCa, 'not_a_ca', 'is not a CA: basicConstraints has to say so');
  demand(certificate.subject.length > 2, 'subject_empty', 'has an empty subject, which no CA may have');
  demand(certificate.certifies, 'key_usage_missing', 'lacks the key usage keyCertSign');
  const strange = certificate.criticals.find((id) => !RECOGNIZED.has(id));
  demand(strange === undefined, 'extension_unrecognized', `has an unknown critical extension, ${strange}`);
  const { notBefore, notAfter } = certificate;
  demand(now <= notAfter, 'certificate_expired', `expired at ${iso(notAfter)}`);
  demand(now >= notBefore, 'certificate_not_yet_valid', `is not valid before ${iso(notBefore)}`);
}

const iso = (at: Instant): string => new Date(at).toISOString();

/** pathLenConstraint counts the CA certificates below that are not self-issued (RFC 5280 section 4.2.1.9). */
function checkPathLength(chain: readonly CaCertificate[], i: number, name: string): void {
  const below = chain.slice(0, i).filter(({ issuer, subject }) => !equal(issuer, subject)).length;
  const allowed = chain[i]?.pathLength;
  if (allowed === undefined || below <= allowed) return;
  throw new AuthorityError('path_too_long', `${name} allows ${allowed} CAs below it, and ${below} are there`);
}

/** Fulcio's rule (VerifyCertChain): below a root the issuing CA names codeSigning, and no certificate excludes it. */
function checkPurpose(chain: readonly CaCertificate[], i: number, name: string): void {
  const purposes = chain[i]?.purposes;
  if (i === 0 && chain.length > 1 && purposes?.includes(oid.ekuCodeSigning) !== true) {
    throw new AuthorityError('purpose_missing', `${name} has to list the extended key usage codeSigning`);
  }
  const allows =
    purposes === undefined ||
    purposes.includes(oid.ekuCodeSigning) ||
    purposes.includes(oid.anyExtendedKeyUsage);
  if (!allows) {
    throw new AuthorityError('purpose_excluded', `${name} has extended key usages that exclude codeSigning`);
  }
}

async function checkLink(
  certificate: CaCertificate,
  above: CaCertificate,
  name: string,
  verifier: SignatureVerifier,
): Promise<void> {
  const { algorithm } = certificate.signatureAlgorithm;
  const found = recognize(certificate.signatureAlgorithm);
  if (found === undefined || found.refusedAs !== undefined) {
    throw new AuthorityError(
      'algorithm_unsupported',
      `${name} is signed with ${found?.refusedAs ?? algorithm}; ECDSA and RSA PKCS#1 with SHA-256, SHA-384 or SHA-512, and Ed25519, are accepted`,
    );
  }
  const key = publicKeyOf(above);
  const sound =
    key.type === found.keyType &&
    (await verifier.verify(key, found.hash, certificate.tbs, certificate.signature));
  if (!sound) {
    throw new AuthorityError('link_broken', `the signature of ${name} is not by the key of ${above.title}`);
  }
}
