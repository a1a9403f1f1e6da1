import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  isEncrypted,
  KeyFileError,
  readPrivateKey,
  writePrivateKey,
} from '../../../src/node/keys/key-file.ts';
import { nativeRandom } from '../../../src/node/system/native-random.ts';
import { keyPair } from '../../vectors/key-pairs.ts';

const PASSPHRASE = 'correct horse battery staple';

const same = (a: KeyObject, b: KeyObject): boolean => createPublicKey(a).equals(createPublicKey(b));

function refusal(pem: string, passphrase?: string): KeyFileError {
  try {
    readPrivateKey(pem, passphrase);
  } catch (error) {
    if (error instanceof KeyFileError) return error;
    throw error;
  }
  throw new Error('it was read');
}

const KINDS = ['P-256', 'P-384', 'P-521', 'RSA-2048', 'Ed25519'] as const;
const ec = keyPair('P-256').privateKey;
const rsa = keyPair('RSA-2048').privateKey;

describe('reading', () => {
  test.each(KINDS)('%s as PKCS#8', (kind) => {
    const key = keyPair(kind).privateKey;
    expect(same(readPrivateKey(key.export({ type: 'pkcs8', format: 'pem' }).toString()), key)).toBe(true);
  });

  const encryption = { format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE } as const;
  const forms = [
    ['SEC1', ec, ec.export({ type: 'sec1', format: 'pem' })],
    ['PKCS#1', rsa, rsa.export({ type: 'pkcs1', format: 'pem' })],
    ['encrypted PKCS#8', ec, ec.export({ type: 'pkcs8', ...encryption })],
    ['SEC1 encrypted as RFC 1423 has it', ec, ec.export({ type: 'sec1', ...encryption })],
    ['PKCS#1 encrypted as RFC 1423 has it', rsa, rsa.export({ type: 'pkcs1', ...encryption })],
  ] as const;

  test.each(forms)('%s', (_, key, pem) => {
    expect(same(readPrivateKey(pem.toString(), PASSPHRASE), key)).toBe(true);
  });

  test.each(forms)('%s with CRLF, text before and a certificate after', (_, key, pem) => {
    const lines = `Bag Attributes\n${pem}-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n`;
    expect(same(readPrivateKey(lines.replaceAll('\n', '\r\n'), PASSPHRASE), key)).toBe(true);
  });

  test('the curve parameters that OpenSSL writes before a key are skipped', () => {
    const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
    const pem = parameters + ec.export({ type: 'sec1', format: 'pem' });
    expect(same(readPrivateKey(pem), ec)).toBe(true);
  });

  const encrypted = forms.slice(2).map(([name, , pem]) => [name, pem.toString()] as const);
  test.each(encrypted)('%s: no passphrase, and a wrong one', (_, pem) => {
    expect(isEncrypted(pem)).toBe(true);
    expect(refusal(pem).code).toBe('passphrase_missing');
    expect(refusal(pem, '').code).toBe('passphrase_wrong');
    expect(refusal(pem, 'incorrect horse').code).toBe('passphrase_wrong');
  });

  test.each(['secp256k1', 'P-224', 'DSA', 'RSA-PSS', 'X25519', 'Ed448', 'brainpoolP256r1'] as const)(
    '%s is no key that signs certificates here',
    (kind) => {
      const pem = keyPair(kind).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const error = refusal(pem);
      expect(error.code).toBe('key_type_unsupported');
      expect(error.message).toMatch(/P-256, P-384 or P-521, RSA, or Ed25519$/);
    },
  );

  const pem = ec.export({ type: 'pkcs8', format: 'pem' }).toString();
  test.each([
    ['nothing', 'no_private_key', ''],
    [
      'a public key',
      'no_private_key',
      keyPair('P-256').publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    ],
    ['half a key', 'no_private_key', pem.slice(0, -30)],
    ['two keys', 'several_private_keys', pem + pem],
    ['two keys of two forms', 'several_private_keys', `${pem}${ec.export({ type: 'sec1', format: 'pem' })}`],
    ['an OpenSSH key', 'format_unsupported', relabel('OPENSSH PRIVATE KEY')],
    ['a cosign key', 'format_unsupported', relabel('ENCRYPTED SIGSTORE PRIVATE KEY')],
    ['a broken key', 'key_malformed', '-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n'],
  ])('%s: %s', (_, code, text) => {
    expect(refusal(text).code).toBe(code);
  });

  function relabel(label: string): string {
    return pem.replaceAll('PRIVATE KEY', label);
  }
});

describe('writing', () => {
  test.each(KINDS)('%s in the clear is PKCS#8', (kind) => {
    const key = keyPair(kind).privateKey;
    const pem = writePrivateKey(key, nativeRandom);
    expect(pem).toBe(key.export({ type: 'pkcs8', format: 'pem' }));
    expect(isEncrypted(pem)).toBe(false);
  });

  test('encrypted, it reads back with the passphrase and with no other', () => {
    const pem = writePrivateKey(ec, nativeRandom, PASSPHRASE);
    expect(pem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
    expect(same(readPrivateKey(pem, PASSPHRASE), ec)).toBe(true);
    expect(same(createPrivateKey({ key: pem, passphrase: PASSPHRASE }), ec)).toBe(true);
    expect(refusal(pem, `${PASSPHRASE} `).code).toBe('passphrase_wrong');
    expect(refusal(pem).code).toBe('passphrase_missing');
  });

  test.each(['pässwörd ✓', 'x'.repeat(1000)])('passphrase %.12j', (passphrase) => {
    expect(same(readPrivateKey(writePrivateKey(ec, nativeRandom, passphrase), passphrase), ec)).toBe(true);
  });

  test('salt and initialization vector are new each time', () => {
    const drawn: Uint8Array[] = [];
    const pems = [1, 2].map(() =>
      writePrivateKey(
        generateKeyPairSync('ed25519').privateKey,
        (length) => {
          const bytes = new Uint8Array(randomBytes(length));
          drawn.push(bytes);
          return bytes;
        },
        PASSPHRASE,
      ),
    );
    expect(drawn.map(({ length }) => length)).toEqual([16, 16, 16, 16]);
    for (const [i, bytes] of drawn.entries()) {
      const der = Buffer.from(pems[i >> 1]?.replace(/-.*-|\n/g, '') ?? '', 'base64');
      expect(der.includes(bytes)).toBe(true);
    }
  });
});
