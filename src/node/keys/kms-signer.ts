// KMS signer: a key that stays in a key management service and signs over HTTP: Transit, the API of HashiCorp Vault and OpenBao.

import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { type Bytes, equal } from '../../encoding/bytes.ts';
import type { Signer, SigningAlgorithm } from '../../key/signer.ts';
import { algorithmOf } from '../system/native-signer.ts';

export interface TransitPlace {
  /** Of the server, without a final slash. */
  readonly url: string;
  /** Name of the key. */
  readonly key: string;
  /** Path of the secrets engine. */
  readonly mount: string;
  readonly namespace?: string;
  /** For a signature, a second attempt included, in ms. */
  readonly timeout: number;
}

export interface TransitOptions extends TransitPlace {
  /** Asked for each request, as an agent renews the token in its file. */
  readonly token: () => string | Promise<string>;
  /** SubjectPublicKeyInfo, DER, of the certificate: says which version of the key signs. */
  readonly publicKey: Bytes;
}

const HASH = {
  'ecdsa-p256-sha256': 'sha256',
  'ecdsa-p384-sha384': 'sha384',
  'ecdsa-p521-sha512': 'sha512',
  'rsa-pkcs1-sha256': 'sha256',
  ed25519: undefined,
} as const satisfies Record<SigningAlgorithm, string | undefined>;

/** Rejects with an Error with a sentence where the service, the token or the key are not as configured. */
export async function openTransitSigner(options: TransitOptions): Promise<Signer> {
  const { publicKey, key } = options;
  const object = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
  const algorithm = algorithmOf(object);
  const version = await versionOf(object, options);
  return {
    algorithm,
    publicKey,
    async sign(message) {
      const hash = HASH[algorithm];
      const input = hash === undefined ? Buffer.from(message) : createHash(hash).update(message).digest();
      const body = {
        input: input.toString('base64'),
        key_version: version,
        ...(hash !== undefined && {
          prehashed: true,
          marshaling_algorithm: 'asn1',
          signature_algorithm: 'pkcs1v15',
        }),
      };
      const suffix = hash === undefined ? '' : `/${hash.replace('sha', 'sha2-')}`;
      const answer = await ask(`sign/${encodeURIComponent(key)}${suffix}`, signature, options, body);
      const [, , encoded = ''] = answer.data.signature.split(':'); // vault:v1:BASE64
      return new Uint8Array(Buffer.from(encoded, 'base64'));
    },
  };
}

const signature = z.object({ data: z.object({ signature: z.string().regex(/^\w+:v\d+:[\w+/]+=*$/) }) });
const keys = z.object({
  data: z.object({ keys: z.record(z.string(), z.object({ public_key: z.string() })) }),
});

/** A key that was rotated in the service goes on signing with the version that the certificate is for. */
async function versionOf(publicKey: KeyObject, options: TransitOptions): Promise<number> {
  const { data } = await ask(`keys/${encodeURIComponent(options.key)}`, keys, options);
  const wanted = publicKey.export({ format: 'der', type: 'spki' });
  for (const [version, { public_key: text }] of Object.entries(data.keys)) {
    const spki = text.startsWith('-----') ? pemToSpki(text) : ed25519ToSpki(text);
    if (spki !== undefined && equal(spki, wanted)) return Number(version);
  }
  throw new Error(`no version of the key ${options.key} at ${options.url} is the one of the CA certificate`);
}

/** SubjectPublicKeyInfo of the newest version of the key. Rejects as openTransitSigner. */
export async function transitPublicKey(options: Omit<TransitOptions, 'publicKey'>): Promise<Bytes> {
  const { data } = await ask(`keys/${encodeURIComponent(options.key)}`, keys, options);
  const newest = Math.max(...Object.keys(data.keys).map(Number));
  const { public_key: text = '' } = data.keys[String(newest)] ?? {};
  const spki = text.startsWith('-----') ? pemToSpki(text) : ed25519ToSpki(text);
  if (spki === undefined) throw new Error(`the key ${options.key} at ${options.url} has no public key`);
  return new Uint8Array(spki);
}

function pemToSpki(text: string): Buffer | undefined {
  try {
    return createPublicKey(text).export({ format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/** Transit gives the 32 bytes of an Ed25519 key in base64 (RFC 8410 section 4 puts this in front). */
const ED25519 = Buffer.from('302a300506032b6570032100', 'hex');
const ed25519ToSpki = (text: string): Buffer => Buffer.concat([ED25519, Buffer.from(text, 'base64')]);

/** Signing changes nothing, so what failed on the way or on their side is asked once more, within the time. */
async function ask<T>(
  path: string,
  shape: z.ZodType<T>,
  options: Omit<TransitOptions, 'publicKey'>,
  body?: object,
): Promise<T> {
  const signal = AbortSignal.timeout(options.timeout);
  for (let attempt = 1; ; attempt += 1) {
    let status: number | undefined;
    try {
      const response = await send(path, options, signal, body);
      ({ status } = response);
      if (response.ok) return shape.parse(await response.json());
      await response.body?.cancel();
    } catch (cause) {
      if (signal.aborted)
        throw new Error(`${options.url} did not answer within ${options.timeout} ms`, { cause });
      if (attempt === 2 || cause instanceof z.ZodError)
        throw new Error(`${options.url} cannot be used for signing`, { cause });
      continue;
    }
    if (attempt === 2 || (status < 500 && status !== 429))
      throw new Error(`${options.url} answered ${status} to ${path}${MEANING[status] ?? ''}`);
  }
}

const MEANING: Readonly<Record<number, string>> = {
  403: ': the token may not do that, or has expired',
  404: ': there is no such key or mount',
};

async function send(
  path: string,
  { url, mount, namespace, token }: Omit<TransitOptions, 'publicKey'>,
  signal: AbortSignal,
  body: object | undefined,
): Promise<Response> {
  return fetch(`${url}/v1/${mount}/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'x-vault-token': await token(),
      'x-vault-request': 'true',
      ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    redirect: 'error', // the token is for this server
    signal,
  });
}
