// Certification requests by other hands: the OpenSSL command line, and PKIjs over @peculiar/webcrypto.

import { execFileSync } from 'node:child_process';
import type { webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Crypto } from '@peculiar/webcrypto';
import * as pkijs from 'pkijs';

import { type Kind, keyPair } from './key-pairs.ts';

/** PEM of a request for the key of `kind` with a subject and extensions that must not matter; `args` choose hash and padding. */
export function opensslRequest(kind: Kind, ...args: readonly string[]): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'mayfly-csr-'));
  try {
    const key = join(directory, 'key.pem');
    writeFileSync(key, keyPair(kind).privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const subject = ['-subj', '/CN=evil/O=Evil Ltd', '-addext', 'subjectAltName=email:evil@example.org'];
    return execFileSync('openssl', ['req', '-new', '-key', key, ...subject, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

// PKIjs types want the newest members of SubtleCrypto, which it does not call.
const engine = new pkijs.CryptoEngine({
  name: 'peculiar',
  crypto: new Crypto(),
}) as unknown as pkijs.ICryptoEngine;

/** DER of a request by PKIjs, and the SubjectPublicKeyInfo that it is for. */
export async function pkijsRequest(
  algorithm: webcrypto.RsaHashedKeyGenParams | webcrypto.EcKeyGenParams,
  hash: string,
): Promise<{ readonly der: Uint8Array; readonly spki: Uint8Array }> {
  const pair = await engine.generateKey(algorithm, true, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new Error('not a pair');
  const request = new pkijs.CertificationRequest();
  request.attributes = [];
  await request.subjectPublicKeyInfo.importKey(pair.publicKey, engine);
  await request.sign(pair.privateKey, hash, engine);
  return {
    der: new Uint8Array(request.toSchema(true).toBER()),
    spki: new Uint8Array(await engine.exportKey('spki', pair.publicKey)),
  };
}
