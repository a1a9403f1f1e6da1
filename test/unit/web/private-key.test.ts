// Private keys in WebCrypto: every kind signs what Node's own verifier accepts, and nothing comes out again.

import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodePem } from '../../../src/encoding/pem.ts';
import { importPrivateKey, PrivateKeyError } from '../../../src/web/private-key.ts';

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey;
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

const KINDS: readonly (readonly [string, KeyObject, string | null])[] = [
  ['ecdsa-p256-sha256', ec('P-256'), 'sha256'],
  ['ecdsa-p384-sha384', ec('P-384'), 'sha384'],
  ['ecdsa-p521-sha512', ec('P-521'), 'sha512'],
  ['rsa-pkcs1-sha256', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'sha256'],
  ['ed25519', generateKeyPairSync('ed25519').privateKey, null],
];
const MESSAGE = Buffer.from('what is signed');

describe('a private key in WebCrypto', () => {
  it.each(KINDS)('%s', async (algorithm, key, hash) => {
    const signer = await importPrivateKey(pemOf(key));
    expect(signer.algorithm).toBe(algorithm);
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
    expect(Buffer.from(signer.publicKey)).toEqual(spki);
    expect(verify(hash, MESSAGE, createPublicKey(key), await signer.sign(MESSAGE))).toBe(true);
    expect(JSON.stringify(signer)).not.toContain(key.export({ format: 'jwk' }).d ?? '?');
  });

  it('stands among other text', async () => {
    const text = `CA key\n${encodePem('CERTIFICATE', MESSAGE)}${pemOf(ec('P-256'))}`;
    expect((await importPrivateKey(text)).algorithm).toBe('ecdsa-p256-sha256');
  });

  const [, p256] = KINDS[0] ?? [];
  if (p256 === undefined) throw new Error('no key');
  const sealed = p256.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' });
  it.each<readonly [string, string, RegExp]>([
    ['nothing', '', /exactly one/],
    ['two keys', pemOf(p256) + pemOf(ec('P-256')), /exactly one/],
    ['an encrypted key', sealed.toString(), /exactly one unencrypted/],
    ['a SEC1 key', p256.export({ type: 'sec1', format: 'pem' }).toString(), /PKCS#8/],
    ['a public key', createPublicKey(p256).export({ type: 'spki', format: 'pem' }).toString(), /exactly one/],
    ['another curve', pemOf(ec('secp256k1')), /is not ECDSA on P-256/],
    ['another kind', pemOf(generateKeyPairSync('x25519').privateKey), /is not ECDSA on P-256/],
    ['no DER', encodePem('PRIVATE KEY', MESSAGE), /is not ECDSA on P-256/],
    [
      'a damaged key',
      encodePem('PRIVATE KEY', p256.export({ type: 'pkcs8', format: 'der' }).subarray(0, -1)),
      /./,
    ],
  ])('is not %s', async (_, pem, message) => {
    const failure = await importPrivateKey(pem).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PrivateKeyError);
    expect(String(failure)).toMatch(message);
  });
});
