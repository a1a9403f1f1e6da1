// Fake TLS identity: a self-signed server certificate for the loopback, which is its own trust anchor.

import { Integer, OctetString, Utf8String } from 'asn1js';
import {
  AttributeTypeAndValue,
  BasicConstraints,
  Certificate,
  Extension,
  GeneralName,
  GeneralNames,
} from 'pkijs';
import { encodePem } from '../../src/encoding/pem.ts';

export interface TlsIdentity {
  /** PEM, for a server. */
  readonly key: string;
  readonly cert: string;
}

/** For 127.0.0.1, localhost and the names given; valid for an hour. */
export async function newTlsIdentity(...names: readonly string[]): Promise<TlsIdentity> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const { publicKey, privateKey } = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = new Certificate();
  certificate.version = 2;
  certificate.serialNumber = new Integer({ value: 1 });
  const commonName = new AttributeTypeAndValue({
    type: '2.5.4.3',
    value: new Utf8String({ value: 'loopback' }),
  });
  certificate.issuer.typesAndValues.push(commonName);
  certificate.subject.typesAndValues.push(commonName);
  certificate.notBefore.value = new Date(Date.now() - 60_000);
  certificate.notAfter.value = new Date(Date.now() + 3_600_000);
  const altNames = new GeneralNames({
    names: [
      new GeneralName({ type: 7, value: new OctetString({ valueHex: Uint8Array.of(127, 0, 0, 1).buffer }) }),
      ...['localhost', ...names].map((value) => new GeneralName({ type: 2, value })),
    ],
  });
  certificate.extensions = [
    new Extension({ extnID: '2.5.29.17', extnValue: altNames.toSchema().toBER() }),
    new Extension({
      extnID: '2.5.29.19',
      critical: true,
      extnValue: new BasicConstraints({ cA: true }).toSchema().toBER(),
    }),
  ];
  await certificate.subjectPublicKeyInfo.importKey(publicKey);
  await certificate.sign(privateKey, 'SHA-256');
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', privateKey);
  return {
    key: encodePem('PRIVATE KEY', new Uint8Array(pkcs8)),
    cert: encodePem('CERTIFICATE', new Uint8Array(certificate.toSchema().toBER())),
  };
}
