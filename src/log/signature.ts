// Signature: `digitally-signed`, the form in which a log's signatures travel (RFC 5246 section 4.7, RFC 6962 section 2.1.4).

import { allocate, type Bytes } from '../encoding/bytes.ts';
import { putUint, TlsReader } from '../encoding/tls.ts';
import type { Signer, SigningAlgorithm } from '../key/signer.ts';

const SHA256 = 4;
const ALGORITHMS: Partial<Record<SigningAlgorithm, number>> = {
  'ecdsa-p256-sha256': 3,
  'rsa-pkcs1-sha256': 1,
};

/** Whether RFC 6962 allows the key as a log key: P-256 or RSA, with SHA-256. */
export function isLogAlgorithm(algorithm: SigningAlgorithm): boolean {
  return ALGORITHMS[algorithm] !== undefined;
}

function encode(algorithm: SigningAlgorithm, signature: Uint8Array): Bytes {
  const code = ALGORITHMS[algorithm];
  if (code === undefined) throw new TypeError(`a log key cannot be ${algorithm}`);
  const out = allocate(4 + signature.length);
  out[0] = SHA256;
  out[1] = code;
  putUint(out, 2, signature.length, 2);
  out.set(signature, 4);
  return out;
}

/** Signs `input` with the log's key. Synchronous when the signer is. */
export function signDigitally(signer: Signer, input: Uint8Array): Bytes | Promise<Bytes> {
  const signature = signer.sign(input);
  return signature instanceof Uint8Array
    ? encode(signer.algorithm, signature)
    : signature.then((bytes) => encode(signer.algorithm, bytes));
}

export interface DigitallySigned {
  readonly algorithm: SigningAlgorithm;
  readonly signature: Uint8Array;
}

/** Undefined when malformed or of an algorithm that no log may use. */
export function readDigitallySigned(bytes: Uint8Array): DigitallySigned | undefined {
  try {
    const reader = new TlsReader(bytes);
    const [hash, code] = [reader.uint(1), reader.uint(1)];
    const signature = reader.vector(2);
    if (hash !== SHA256 || !reader.done) return undefined;
    if (code === 3) return { algorithm: 'ecdsa-p256-sha256', signature };
    if (code === 1) return { algorithm: 'rsa-pkcs1-sha256', signature };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}
