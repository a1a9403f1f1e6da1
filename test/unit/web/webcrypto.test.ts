import { verify, type webcrypto } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { toP1363 } from '../../../src/key/ecdsa-signature.ts';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import { webCryptoSigner } from '../../../src/web/webcrypto-signer.ts';
import { webCryptoVerifier } from '../../../src/web/webcrypto-verifier.ts';
import { type Kind, keyPair, spkiOf } from '../../vectors/key-pairs.ts';

const MESSAGE = Buffer.from('to be signed');
type Parameters = { name: string; namedCurve?: string; hash?: string };

/** The private key of `kind`, not exportable, for WebCrypto. */
const cryptoKey = (kind: Kind, parameters: Parameters, usages: webcrypto.KeyUsage[] = ['sign']) =>
  keyPair(kind).privateKey.toCryptoKey(parameters, false, usages);

describe('the signer', () => {
  test.each([
    ['P-256', { name: 'ECDSA', namedCurve: 'P-256' }, 'ecdsa-p256-sha256', 'SHA-256'],
    ['P-384', { name: 'ECDSA', namedCurve: 'P-384' }, 'ecdsa-p384-sha384', 'SHA-384'],
    ['P-521', { name: 'ECDSA', namedCurve: 'P-521' }, 'ecdsa-p521-sha512', 'SHA-512'],
    ['RSA-2048', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, 'rsa-pkcs1-sha256', 'SHA-256'],
    ['Ed25519', { name: 'Ed25519' }, 'ed25519', undefined],
  ] as const)('signs with %s %j as %s', async (kind, parameters, algorithm, hash) => {
    const signer = webCryptoSigner(cryptoKey(kind, parameters), spkiOf(kind));
    expect(signer.algorithm).toBe(algorithm);
    expect(signer.publicKey).toEqual(spkiOf(kind));
    const key = parsePublicKey(signer.publicKey);
    // Several, as about one r or s in two takes a leading zero in DER and one in 256 is short.
    for (let i = 0; i < 20; i++) {
      const signature = await signer.sign(MESSAGE);
      expect(verify(hash ?? null, MESSAGE, keyPair(kind).publicKey, signature)).toBe(true);
      expect(await webCryptoVerifier.verify(key, hash, MESSAGE, signature)).toBe(true);
    }
  });

  test.each<[string, () => webcrypto.CryptoKey]>([
    ['RSA for SHA-512', () => cryptoKey('RSA-2048', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' })],
    ['RSA-PSS', () => cryptoKey('RSA-2048', { name: 'RSA-PSS', hash: 'SHA-256' })],
    ['ECDH', () => cryptoKey('P-256', { name: 'ECDH', namedCurve: 'P-256' }, ['deriveBits'])],
    ['a public key', () => keyPair('Ed25519').publicKey.toCryptoKey({ name: 'Ed25519' }, true, ['verify'])],
  ])('refuses %s', (_, key) => {
    expect(() => webCryptoSigner(key(), spkiOf('P-256'))).toThrow(/no certificates are signed/);
  });
});

describe('the verifier', () => {
  const verifies = (kind: Kind, hash: 'SHA-256' | undefined, signature: Uint8Array) =>
    webCryptoVerifier.verify(parsePublicKey(spkiOf(kind)), hash, MESSAGE, signature);
  const signed = async (kind: Kind, parameters: Parameters): Promise<Uint8Array> =>
    webCryptoSigner(cryptoKey(kind, parameters), spkiOf(kind)).sign(MESSAGE);

  test('takes no hash for Ed25519, and one for everything else', async () => {
    const ed25519 = await signed('Ed25519', { name: 'Ed25519' });
    expect([
      await verifies('Ed25519', undefined, ed25519),
      await verifies('Ed25519', 'SHA-256', ed25519),
    ]).toEqual([true, false]);
    const p256 = await signed('P-256', { name: 'ECDSA', namedCurve: 'P-256' });
    expect([await verifies('P-256', 'SHA-256', p256), await verifies('P-256', undefined, p256)]).toEqual([
      true,
      false,
    ]);
  });

  test('takes ECDSA as DER only', async () => {
    const der = await signed('P-256', { name: 'ECDSA', namedCurve: 'P-256' });
    const raw = toP1363(der, 32);
    expect(await verifies('P-256', 'SHA-256', raw ?? der)).toBe(false);
  });

  test('answers false for a key that the runtime does not take', async () => {
    const key = parsePublicKey(spkiOf('P-256'));
    const spki = key.spki.slice();
    spki[30] = (spki[30] ?? 0) ^ 1;
    const signature = await signed('P-256', { name: 'ECDSA', namedCurve: 'P-256' });
    expect(await webCryptoVerifier.verify({ ...key, spki }, 'SHA-256', MESSAGE, signature)).toBe(false);
  });
});
