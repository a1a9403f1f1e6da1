// Fake TLS: a CA, and certificates for the loopback, its own or self-signed, for servers and clients alike.

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
  /** PEM, for a server or a client. */
  readonly key: string;
  readonly cert: string;
}

export interface TlsAuthority {
  /** PEM. */
  readonly cert: string;
  /** For 127.0.0.1, localhost and the names given; valid for an hour. */
  issue(...names: readonly string[]): Promise<TlsIdentity>;
}

/** Self-signed, and so its own trust anchor: for 127.0.0.1, localhost and the names given; valid for an hour. */
export async function newTlsIdentity(...names: readonly string[]): Promise<TlsIdentity> {
  const keys = await newKeys();
  return identity(keys, await certificate({ subject: 'loopback', keys, isCa: true, names }));
}

export async function newTlsAuthority(name = 'loopback CA'): Promise<TlsAuthority> {
  const keys = await newKeys();
  const own = await certificate({ subject: name, keys, isCa: true });
  return {
    cert: pem(own),
    async issue(...names) {
      const theirs = await newKeys();
      return identity(
        theirs,
        await certificate({
          subject: 'loopback',
          keys: theirs,
          issuer: { name, key: keys.privateKey },
          names,
        }),
      );
    },
  };
}

interface KeyPair {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

interface Wish {
  readonly subject: string;
  readonly keys: KeyPair;
  readonly issuer?: { readonly name: string; readonly key: CryptoKey };
  readonly isCa?: boolean;
  readonly names?: readonly string[];
}

let serial = 1;

async function certificate({ subject, keys, issuer, isCa = false, names = [] }: Wish): Promise<Certificate> {
  const made = new Certificate();
  made.version = 2;
  made.serialNumber = new Integer({ value: serial });
  serial += 1;
  made.issuer.typesAndValues.push(commonName(issuer?.name ?? subject));
  made.subject.typesAndValues.push(commonName(subject));
  made.notBefore.value = new Date(Date.now() - 60_000);
  made.notAfter.value = new Date(Date.now() + 3_600_000);
  const altNames = new GeneralNames({
    names: [
      new GeneralName({ type: 7, value: new OctetString({ valueHex: Uint8Array.of(127, 0, 0, 1).buffer }) }),
      ...['localhost', ...names].map((value) => new GeneralName({ type: 2, value })),
    ],
  });
  made.extensions = [
    new Extension({ extnID: '2.5.29.17', extnValue: altNames.toSchema().toBER() }),
    new Extension({
      extnID: '2.5.29.19',
      critical: true,
      extnValue: new BasicConstraints({ cA: isCa }).toSchema().toBER(),
    }),
  ];
  await made.subjectPublicKeyInfo.importKey(keys.publicKey);
  await made.sign(issuer?.key ?? keys.privateKey, 'SHA-256');
  return made;
}

function commonName(value: string): AttributeTypeAndValue {
  return new AttributeTypeAndValue({ type: '2.5.4.3', value: new Utf8String({ value }) });
}

function newKeys(): Promise<KeyPair> {
  return crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
}

async function identity({ privateKey }: KeyPair, made: Certificate): Promise<TlsIdentity> {
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', privateKey);
  return { key: encodePem('PRIVATE KEY', new Uint8Array(pkcs8)), cert: pem(made) };
}

function pem(made: Certificate): string {
  return encodePem('CERTIFICATE', new Uint8Array(made.toSchema().toBER()));
}
