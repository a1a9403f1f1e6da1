import { createPublicKey, createSecretKey, type KeyObject, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fromHex, hex } from '../../../src/encoding/bytes.ts';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { nativeSigner } from '../../../src/node/system/native-signer.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';
import { type Kind, keyPair, spkiOf } from '../../vectors/key-pairs.ts';

const MESSAGE = Buffer.from('to be signed');

describe('the digest', () => {
  // FIPS 180-2 appendix B
  test.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['616263', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ])('of %s', (data, digest) => {
    expect(hex(sha256(fromHex(data)))).toBe(digest);
  });

  test('is a plain Uint8Array of its own', () => {
    expect(sha256(MESSAGE)).not.toBeInstanceOf(Buffer);
    const first = sha256(MESSAGE);
    const before = hex(first);
    sha256(Buffer.from('other'));
    expect(hex(first)).toBe(before);
  });
});

describe('the signer', () => {
  test.each([
    ['P-256', 'ecdsa-p256-sha256', 'SHA-256'],
    ['P-384', 'ecdsa-p384-sha384', 'SHA-384'],
    ['P-521', 'ecdsa-p521-sha512', 'SHA-512'],
    ['RSA-2048', 'rsa-pkcs1-sha256', 'SHA-256'],
    ['Ed25519', 'ed25519', undefined],
  ] as const)('signs with %s as %s', async (kind, algorithm, hash) => {
    const signer = nativeSigner(keyPair(kind).privateKey);
    expect(signer.algorithm).toBe(algorithm);
    expect(signer.publicKey).toEqual(spkiOf(kind));
    const signature = await signer.sign(MESSAGE);
    expect(verify(hash ?? null, MESSAGE, keyPair(kind).publicKey, signature)).toBe(true);
    expect(nativeVerifier.verify(parsePublicKey(signer.publicKey), hash, MESSAGE, signature)).toBe(true);
  });

  test.each<[string, () => KeyObject, RegExp]>([
    ['a public key', () => keyPair('P-256').publicKey, /a public key cannot sign/],
    ['a secret', () => createSecretKey(Buffer.alloc(32)), /a secret key cannot sign/],
    ...(['P-224', 'secp256k1', 'Ed448', 'X25519', 'DSA', 'RSA-PSS'] satisfies Kind[]).map(
      (kind): [string, () => KeyObject, RegExp] => [
        kind,
        () => keyPair(kind).privateKey,
        /no certificates are signed/,
      ],
    ),
  ])('refuses %s', (_, key, message) => {
    expect(() => nativeSigner(key())).toThrow(message);
  });
});

describe('the verifier', () => {
  test('takes no hash for Ed25519, and one for everything else', () => {
    for (const kind of ['P-256', 'RSA-2048', 'Ed25519'] as const) {
      const key = parsePublicKey(spkiOf(kind));
      const signature = nativeSigner(keyPair(kind).privateKey).sign(MESSAGE);
      if (signature instanceof Promise) throw new Error('not synchronous');
      const right = kind === 'Ed25519' ? undefined : 'SHA-256';
      const wrong = kind === 'Ed25519' ? 'SHA-256' : undefined;
      expect(nativeVerifier.verify(key, right, MESSAGE, signature)).toBe(true);
      expect(nativeVerifier.verify(key, wrong, MESSAGE, signature)).toBe(false);
    }
  });

  test('answers false for a key that OpenSSL does not take', () => {
    const key = parsePublicKey(spkiOf('P-256'));
    const spki = key.spki.slice();
    spki[30] = (spki[30] ?? 0) ^ 1;
    expect(() => createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })).toThrow();
    expect(nativeVerifier.verify({ ...key, spki }, 'SHA-256', MESSAGE, new Uint8Array(70))).toBe(false);
  });
});
