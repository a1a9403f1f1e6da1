// Listener settings: the certificates that the listeners show, and how much the listeners bear.

import type * as z from 'zod';
import { holdsCertificates } from './certificates.ts';
import type { listenerSchema } from './listener-schema.ts';
import type { Path } from './mistake.ts';
import { defined, type Reader, readFile } from './trust-material.ts';

export interface ListenerSettings {
  /** Of REST, which is served in clear without. */
  readonly tls?: TlsSettings;
  /** Of gRPC, which is served in clear without. */
  readonly grpcTls?: TlsSettings;
  readonly pressure: PressureSettings;
}

export interface TlsSettings {
  /** The certificate, then those that lead to its root. */
  readonly certificate: PemFile;
  readonly key: PemFile;
  /** The CAs of one of which a client has to show a certificate. */
  readonly clientCa?: PemFile;
}

export interface PemFile {
  readonly file: string;
  /** What it held when the configuration was read. */
  readonly pem: string;
}

export interface PressureSettings {
  /** Of each listener at once. */
  readonly connections: number;
  /** Issuances, or submissions, under way at once. */
  readonly queue: number;
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

type Listener = z.output<typeof listenerSchema>;

export function readListener(general: Listener, reader: Reader): ListenerSettings {
  const { tls } = general;
  return {
    ...defined(
      'tls',
      tls &&
        tlsOf(
          [
            { file: tls.certificate, at: ['tls', 'certificate'] },
            { file: tls.key, at: ['tls', 'key'] },
            tls['client-ca'] === undefined ? undefined : { file: tls['client-ca'], at: ['tls', 'client-ca'] },
          ],
          reader,
        ),
    ),
    ...defined('grpcTls', grpcTlsOf(general, reader)),
    pressure: pressureOf(general.pressure, reader),
  };
}

interface Named {
  readonly file: string;
  readonly at: Path;
}

/** Certificate, key and client CA. Undefined where one of them cannot be used. */
function tlsOf(
  [certificate, key, clientCa]: readonly [Named, Named, Named | undefined],
  reader: Reader,
): TlsSettings | undefined {
  const read = ({ file, at }: Named, label: RegExp, takes: string): PemFile | undefined => {
    const pem = readFile(file, at, reader);
    if (pem === undefined) return undefined;
    if (label.test(pem)) return { file, pem };
    reader.findings.error(at, `takes a file with ${takes} in PEM`);
    return undefined;
  };
  const [shown, secret, ca] = [
    read(certificate, /-----BEGIN CERTIFICATE-----/, 'a certificate'),
    read(key, /-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key'),
    clientCa && read(clientCa, /-----BEGIN CERTIFICATE-----/, 'one or more certificates'),
  ];
  if (clientCa !== undefined && ca !== undefined && !holdsCertificates(ca.pem))
    reader.findings.error(clientCa.at, 'takes a file with one or more certificates in PEM');
  return shown && secret && { certificate: shown, key: secret, ...defined('clientCa', ca) };
}

function grpcTlsOf(general: Listener, reader: Reader): TlsSettings | undefined {
  const {
    'grpc-tls-certificate': certificate,
    'grpc-tls-key': key,
    'grpc-tls-client-ca': clientCa,
  } = general;
  const { findings } = reader;
  if (certificate !== undefined && key !== undefined) {
    const named = (file: string, name: string): Named => ({ file, at: [name] });
    return tlsOf(
      [
        named(certificate, 'grpc-tls-certificate'),
        named(key, 'grpc-tls-key'),
        clientCa === undefined ? undefined : named(clientCa, 'grpc-tls-client-ca'),
      ],
      reader,
    );
  }
  if (certificate !== undefined)
    findings.error(['grpc-tls-key'], 'is missing; grpc-tls-certificate needs it');
  if (key !== undefined) findings.error(['grpc-tls-certificate'], 'is missing; grpc-tls-key needs it');
  if (clientCa !== undefined && certificate === undefined && key === undefined)
    findings.error(['grpc-tls-certificate'], 'is missing; grpc-tls-client-ca needs it');
  return undefined;
}

function pressureOf(pressure: Listener['pressure'], { findings }: Reader): PressureSettings {
  const { connections, queue } = pressure;
  const [headerTimeoutMs, requestTimeoutMs] = [pressure['header-timeout'], pressure['request-timeout']];
  const said = ['header-timeout', 'request-timeout'].every((key) => findings.isSound(['pressure', key]));
  if (said && headerTimeoutMs > requestTimeoutMs)
    findings.error(['pressure', 'header-timeout'], 'takes no longer than request-timeout');
  return { connections, queue, headerTimeoutMs, requestTimeoutMs, idleTimeoutMs: pressure['idle-timeout'] };
}
