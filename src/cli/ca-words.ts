// CA words: a CA certificate for people and for scripts.

import type { X509Certificate } from 'node:crypto';
import { printable } from '../certificate/plain-words.ts';

export function describeCa(certificate: X509Certificate): string[] {
  const { subject, issuer, notBefore, notAfter, daysLeft, key, fingerprintSha256, selfSigned } =
    factsOfCa(certificate);
  const left = daysLeft < 0 ? 'expired' : `${daysLeft} days from now`;
  return [
    printable(subject),
    `  ${selfSigned ? 'a root: it stands for itself' : `a CA below ${printable(issuer)}`}`,
    `  valid        ${notBefore} to ${notAfter} (${left})`,
    `  key          ${key}`,
    `  SHA-256      ${fingerprintSha256}`,
  ];
}

export interface CaFacts {
  readonly subject: string;
  readonly issuer: string;
  readonly selfSigned: boolean;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly daysLeft: number;
  readonly key: string;
  readonly serialNumber: string;
  readonly fingerprintSha256: string;
}

export function factsOfCa(certificate: X509Certificate): CaFacts {
  const { subject, issuer, serialNumber, validFromDate, validToDate, fingerprint256 } = certificate;
  return {
    subject: nameOf(subject),
    issuer: nameOf(issuer),
    selfSigned: subject === issuer,
    notBefore: validFromDate.toISOString(),
    notAfter: validToDate.toISOString(),
    daysLeft: Math.floor((validToDate.getTime() - Date.now()) / DAY),
    key: keyOf(certificate),
    serialNumber: serialNumber.toLowerCase(),
    fingerprintSha256: fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

const DAY = 86_400_000;

/** Such as EC P-256 or RSA 2048. */
export function keyOf({ publicKey }: Pick<X509Certificate, 'publicKey'>): string {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  if (type === 'rsa') return `RSA ${details?.modulusLength}`;
  if (type === 'ec') return `EC ${CURVES[details?.namedCurve ?? ''] ?? details?.namedCurve}`;
  return type === 'ed25519' ? 'Ed25519' : String(type);
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

/** On one line. */
export function nameOf(name: string): string {
  return name.split('\n').join(', ');
}
