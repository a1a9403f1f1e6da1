// Certificate: an issued certificate as PKIjs reads it, so that nothing of Mayfly vouches for what Mayfly wrote.

import { X509Certificate } from 'node:crypto';
import { fromBER, Utf8String } from 'asn1js';
import * as pkijs from 'pkijs';

export interface ReadExtension {
  readonly id: string;
  readonly critical: boolean;
  /** Hex of what the OCTET STRING holds. */
  readonly value: string;
}

export interface ReadName {
  readonly kind: 'email' | 'uri' | 'other-name';
  readonly value: string;
}

export interface ReadCertificate {
  readonly x509: X509Certificate;
  readonly der: Buffer;
  /** 3 for version 3. */
  readonly version: number;
  /** Hex of the INTEGER's content. */
  readonly serial: string;
  /** Hex of the DER. */
  readonly issuer: string;
  readonly subject: string;
  readonly spki: string;
  readonly signatureAlgorithm: string;
  readonly tbsSignatureAlgorithm: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** UTCTime or GeneralizedTime of notBefore and notAfter. */
  readonly timeTypes: readonly string[];
  readonly extensions: readonly ReadExtension[];
  readonly names: readonly ReadName[];
  /** Values of 1.3.6.1.4.1.57264.1.N by N, in the order in which they stand. */
  readonly attributes: Readonly<Record<string, string>>;
  extension(id: string): ReadExtension | undefined;
}

export const FULCIO = '1.3.6.1.4.1.57264.1';
export const OTHER_NAME = `${FULCIO}.7`;
export const SAN = '2.5.29.17';
export const SCT_LIST = '1.3.6.1.4.1.11129.2.4.2';

const hex = (buffer: ArrayBuffer | Uint8Array): string =>
  Buffer.from(buffer instanceof Uint8Array ? buffer : new Uint8Array(buffer)).toString('hex');

export function readCertificate(pem: string | Uint8Array): ReadCertificate {
  const x509 = new X509Certificate(pem);
  const certificate = pkijs.Certificate.fromBER(new Uint8Array(x509.raw));
  const extensions = (certificate.extensions ?? []).map(({ extnID, critical, extnValue }) => ({
    id: extnID,
    critical,
    value: hex(extnValue.valueBlock.valueHexView),
  }));
  const find = (id: string): ReadExtension | undefined => extensions.find((one) => one.id === id);
  return {
    x509,
    der: x509.raw,
    version: certificate.version + 1,
    serial: hex(certificate.serialNumber.valueBlock.valueHexView),
    issuer: hex(certificate.issuer.valueBeforeDecode),
    subject: hex(certificate.subject.valueBeforeDecode),
    spki: hex(certificate.subjectPublicKeyInfo.toSchema().toBER()),
    signatureAlgorithm: certificate.signatureAlgorithm.algorithmId,
    tbsSignatureAlgorithm: certificate.signature.algorithmId,
    notBefore: certificate.notBefore.value.getTime(),
    notAfter: certificate.notAfter.value.getTime(),
    timeTypes: [certificate.notBefore, certificate.notAfter].map(({ type }) =>
      type === 0 ? 'UTCTime' : 'GeneralizedTime',
    ),
    extensions,
    names: namesOf(find(SAN)?.value),
    attributes: attributesOf(extensions),
    extension: find,
  };
}

function namesOf(value: string | undefined): ReadName[] {
  if (value === undefined) return [];
  const { names } = pkijs.GeneralNames.fromBER(Buffer.from(value, 'hex'));
  return names.map(({ type, value: content }): ReadName => {
    if (type === 1) return { kind: 'email', value: String(content) };
    if (type === 6) return { kind: 'uri', value: String(content) };
    const [id, explicit] = content.valueBlock.value;
    if (type !== 0 || id.valueBlock.toString() !== OTHER_NAME) throw new Error('a name of another kind');
    return { kind: 'other-name', value: textOf(explicit.valueBlock.value[0]) };
  });
}

function attributesOf(extensions: readonly ReadExtension[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const { id, value } of extensions) {
    if (!id.startsWith(`${FULCIO}.`)) continue;
    const n = id.slice(FULCIO.length + 1);
    const bytes = Buffer.from(value, 'hex');
    out[n] = Number(n) <= 6 ? bytes.toString() : textOf(fromBER(bytes).result, bytes.length);
  }
  return out;
}

function textOf(element: unknown, size?: number): string {
  if (!(element instanceof Utf8String)) throw new Error('not a UTF8String');
  if (size !== undefined && element.valueBeforeDecodeView.length !== size)
    throw new Error('something after it');
  return element.getValue();
}
