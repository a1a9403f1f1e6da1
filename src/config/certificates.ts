// CA certificates: the PEM text that an operator gives for an issuer's TLS server.

import { fromBER } from 'asn1js';
import { Certificate } from 'pkijs';
import { decodePem } from '../encoding/pem.ts';

/** Whether every CERTIFICATE block is one and there is at least one; text and blocks of other kinds are skipped, as Go does. */
export function holdsCertificates(pem: string): boolean {
  const blocks = decodePem(pem).filter(({ label }) => label === 'CERTIFICATE');
  const begun = pem.split('-----BEGIN CERTIFICATE-----').length - 1;
  return blocks.length > 0 && blocks.length === begun && blocks.every(({ der }) => isCertificate(der));
}

function isCertificate(der: Uint8Array<ArrayBuffer>): boolean {
  const { offset, result } = fromBER(der);
  if (offset !== der.length) return false;
  try {
    new Certificate({ schema: result });
    return true;
  } catch {
    return false;
  }
}
