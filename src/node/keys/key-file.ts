// Key file: a private key as PEM, read in every form operators have and written as PKCS#8 (RFC 5958, RFC 7914).

import { createCipheriv, createPrivateKey, type KeyObject, scryptSync } from 'node:crypto';

import * as der from '../../encoding/der.ts';
import { encodePem } from '../../encoding/pem.ts';
import type { Random } from '../../encoding/random.ts';
import * as oid from '../../oid.ts';

export type KeyFileCode =
  | 'no_private_key'
  | 'several_private_keys'
  | 'format_unsupported'
  | 'key_type_unsupported'
  | 'key_malformed'
  | 'passphrase_missing'
  | 'passphrase_wrong';

/** Why a key file cannot be used, as a sentence for the operator; never anything of the key or the passphrase. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
  readonly code: KeyFileCode;
  constructor(code: KeyFileCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

const PRIVATE_KEY = /-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----[\s\S]*?-----END \1-----/g;
const READABLE = new Set(['PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY']);
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const SUPPORTED = 'ECDSA on P-256, P-384 or P-521, RSA, or Ed25519';

/**
 * The one private key in `pem`: PKCS#8, SEC1 or PKCS#1, or encrypted as PKCS#8 (RFC 8018) or the older
 * PEM way (RFC 1423). A passphrase for a key that is not encrypted is ignored. Throws KeyFileError.
 */
export function readPrivateKey(pem: string, passphrase?: string): KeyObject {
  const [block, more] = [...pem.matchAll(PRIVATE_KEY)];
  if (block === undefined) throw new KeyFileError('no_private_key', 'there is no PEM private key in it');
  if (more !== undefined)
    throw new KeyFileError('several_private_keys', 'it holds more than one private key');
  const [text, label = ''] = block;
  if (!READABLE.has(label)) {
    throw new KeyFileError(
      'format_unsupported',
      `"${label}" is not a format Mayfly reads; it reads PKCS#8, SEC1 and PKCS#1, encrypted or not`,
    );
  }
  const key = decode(text, isEncrypted(text), passphrase);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const type = key.asymmetricKeyType;
  if (type !== 'rsa' && type !== 'ed25519' && !(type === 'ec' && CURVES.has(curve ?? ''))) {
    const found = curve === undefined ? type : `${type} on ${curve}`;
    throw new KeyFileError('key_type_unsupported', `its key type, ${found}, is not one of ${SUPPORTED}`);
  }
  return key;
}

/** True when the private key in `pem` takes a passphrase to read. */
export function isEncrypted(pem: string): boolean {
  return /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
}

function decode(text: string, encrypted: boolean, passphrase: string | undefined): KeyObject {
  if (encrypted && passphrase === undefined) {
    throw new KeyFileError('passphrase_missing', 'it is encrypted, and no passphrase was given');
  }
  try {
    return createPrivateKey(encrypted && passphrase !== undefined ? { key: text, passphrase } : text);
  } catch (cause) {
    // A wrong passphrase shows as bad padding, or in one of 256 cases as malformed content.
    if (encrypted) {
      const sentence = 'it could not be decrypted: the passphrase is wrong, or the file is damaged';
      throw new KeyFileError('passphrase_wrong', sentence, cause);
    }
    throw new KeyFileError('key_malformed', 'its content is not a private key that can be read', cause);
  }
}

/**
 * scrypt parameters: N = 2^14 is the most that OpenSSL's 32 MiB bound leaves room for with r = 8, so p makes up
 * for it, as the OWASP table of equal strengths does (about 0.2 s for each guess).
 */
const SCRYPT = { N: 16384, r: 8, p: 5 } as const;

/** PKCS#8 PEM with its final newline; encrypted with scrypt and AES-256-CBC when a passphrase is given. */
export function writePrivateKey(key: KeyObject, random: Random, passphrase?: string): string {
  const plain = key.export({ type: 'pkcs8', format: 'der' });
  if (passphrase === undefined) return encodePem('PRIVATE KEY', plain);
  const salt = random(16);
  const iv = random(16);
  const secret = scryptSync(passphrase, salt, 32, SCRYPT);
  const cipher = createCipheriv('aes-256-cbc', secret, iv);
  const parameters = der.sequence(
    der.sequence(
      der.objectIdentifier(oid.scrypt),
      der.sequence(der.octetString(salt), integer(SCRYPT.N), integer(SCRYPT.r), integer(SCRYPT.p)),
    ),
    der.sequence(der.objectIdentifier(oid.aes256Cbc), der.octetString(iv)),
  );
  const encrypted = der.sequence(
    der.sequence(der.objectIdentifier(oid.pbes2), parameters), // PBES2-params, RFC 8018 appendix A.4
    der.octetString(Buffer.concat([cipher.update(plain), cipher.final()])),
  );
  secret.fill(0);
  plain.fill(0);
  return encodePem('ENCRYPTED PRIVATE KEY', encrypted);
}

const integer = (n: number): Uint8Array => der.unsignedInteger(Uint8Array.of(n >>> 16, n >>> 8, n));
