// Trust material of a made-up instance, with certificates by OpenSSL.

import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { instantOf } from '../../../src/clock.ts';
import type { Bytes } from '../../../src/encoding/bytes.ts';
import type { TrustedLog, TrustMaterial } from '../../../src/trust/material.ts';
import type { TestChain } from '../timestamp/openssl.ts';

export const CREATED = instantOf(Date.UTC(2026, 0, 2, 3, 4, 5));

export function spkiOf(publicKey: KeyObject): Bytes {
  return new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
}

export function logOf(spki: Bytes, baseUrl = 'https://ca.example.com/log'): TrustedLog {
  const logId = new Uint8Array(createHash('sha256').update(spki).digest());
  return { baseUrl, spki, logId, validFor: { start: CREATED } };
}

/** The chain serves as CA and as timestamp authority, which only the documents' shape can bear. */
export function materialOf({ chain }: Pick<TestChain, 'chain'>): TrustMaterial {
  const instanceUrl = 'https://ca.example.com';
  return {
    instanceUrl,
    operator: 'example.com',
    authorities: [{ chain: chain.slice(1) }],
    logs: [logOf(spkiOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey))],
    timestampAuthorities: [{ chain, uri: `${instanceUrl}/api/v1/timestamp` }],
    oidcUrls: ['https://login.example.com'],
  };
}
