// TLS identity: what a listener shows of itself, and whose clients it lets in.

import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import type { TlsSettings } from '../../config/listener-settings.ts';
import type { ClientTls } from '../../config/transparency-settings.ts';
import type { Connection } from './node-caller.ts';

/** PEM. */
export interface TlsIdentity {
  /** The certificate with those that lead to its root. */
  readonly certificate: string;
  readonly key: string;
  /** The CAs of one of which a client is to show a certificate. */
  readonly clientCa?: string;
}

export function tlsIdentity({ certificate, key, clientCa }: TlsSettings): TlsIdentity {
  return {
    certificate: certificate.pem,
    key: key.pem,
    ...(clientCa !== undefined && { clientCa: clientCa.pem }),
  };
}

/** Throws an Error with a sentence where certificate, key and client CA cannot serve a listener. */
export function requireUsable(settings: TlsSettings, listener: 'REST' | 'gRPC'): void {
  const { certificate, key, clientCa } = settings;
  try {
    createSecureContext(secureContext(tlsIdentity(settings), 'TLSv1.3'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : '';
    const files = [certificate, key, ...(clientCa === undefined ? [] : [clientCa])].map(({ file }) => file);
    throw new Error(`the TLS files of ${listener} (${files.join(', ')}) cannot be used: ${reason}`, {
      cause,
    });
  }
}

/** Throws an Error with a sentence where a client's CA, certificate and key cannot be used; `name` says whose they are. */
export function requireClientUsable(tls: ClientTls, name: string): void {
  try {
    createSecureContext({ ...tls });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : '';
    throw new Error(`the TLS certificates for ${name} cannot be used: ${reason}`, { cause });
  }
}

export type LeastVersion = 'TLSv1.2' | 'TLSv1.3';

/** What of an identity may be another one while the listener is open. */
export function secureContext(
  { certificate, key, clientCa }: TlsIdentity,
  minVersion: LeastVersion,
): SecureContextOptions {
  return { cert: certificate, key, minVersion, ...(clientCa !== undefined && { ca: clientCa }) };
}

/**
 * Whether clients are asked for a certificate, and `open` whether those without one are served too; it is then for the
 * routes to ask `hasShownCertificate`.
 */
export function clientPolicy(identity: TlsIdentity, open: boolean): TlsOptions {
  return identity.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: !open };
}

/**
 * Whether the client of a connection has proven a certificate of the listener's client CA. `authorized` tells how the chain was
 * judged; that there is a certificate is asked apart, so that a session that was resumed without one never counts.
 */
export function hasShownCertificate(socket: Connection | undefined): boolean {
  return socket?.authorized === true && socket.getPeerX509Certificate?.() !== undefined;
}
