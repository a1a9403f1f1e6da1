import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Authority, openAuthority } from '../../../src/certificate/authority.ts';
import { AuthorityError } from '../../../src/certificate/authority-error.ts';
import type { Bytes } from '../../../src/encoding/bytes.ts';
import { decodePem } from '../../../src/encoding/pem.ts';
import type { Signer } from '../../../src/key/signer.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { nativeSigner } from '../../../src/node/system/native-signer.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';
import { keyPair } from '../../vectors/key-pairs.ts';
import { ecKey, make, makePair, NOW, nameOf } from './made-chain.ts';

const open = (chain: readonly Bytes[], signer: Signer): Promise<Authority> =>
  openAuthority(chain, signer, sha256, NOW, nativeVerifier);

async function refusal(chain: readonly Bytes[], signer: Signer): Promise<AuthorityError> {
  const error: unknown = await open(chain, signer).catch((thrown: unknown) => thrown);
  if (error instanceof AuthorityError) return error;
  throw error;
}

test('what an authority says about itself', async () => {
  const keyIdentifier = Uint8Array.from({ length: 20 }, (_, i) => i);
  const { chain, issuing } = makePair({ keyIdentifier, notAfter: NOW + 5000 }, { notBefore: NOW - 3000 });
  const signer = nativeSigner(issuing.key);
  const authority = await open(chain, signer);
  expect(authority.chain).toEqual(chain);
  expect(authority.signer).toBe(signer);
  expect(authority.pem.map((pem) => decodePem(pem)[0]?.der)).toEqual(chain);
  expect(authority.pem.every((pem) => pem.endsWith('-----END CERTIFICATE-----\n'))).toBe(true);
  expect(authority.issuerName).toEqual(nameOf('intermediate'));
  expect(authority.keyIdentifier).toEqual(keyIdentifier);
  expect(authority.keyHash).toEqual(new Uint8Array(createHash('sha256').update(signer.publicKey).digest()));
  expect(authority.notAfter).toBe(NOW + 5000);
  expect(authority.notBefore).toBe(NOW - 3000);
});

test('notAfter is the earliest of the chain, wherever it stands', async () => {
  const { chain, issuing } = makePair({}, { notAfter: NOW + 9000 });
  expect((await open(chain, nativeSigner(issuing.key))).notAfter).toBe(NOW + 9000);
});

test('a CA without subjectKeyIdentifier has no key identifier', async () => {
  const root = make();
  expect((await open([root.der], nativeSigner(root.key))).keyIdentifier).toBeUndefined();
});

describe('keys', () => {
  test.each(['P-256', 'P-384', 'P-521', 'RSA-2048', 'RSA-3072', 'RSA-4096', 'Ed25519'] as const)(
    '%s',
    async (kind) => {
      const key = keyPair(kind).privateKey;
      const { chain } = makePair({ key });
      expect((await open(chain, nativeSigner(key))).signer.publicKey).toEqual(nativeSigner(key).publicKey);
    },
  );

  const exponent3 = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey;
  test.each([
    ['RSA with 1024 bits', keyPair('RSA-1024').privateKey, /2048, 3072 or 4096/],
    ['RSA with exponent 3', exponent3, /65537/],
  ])('%s is too weak', async (_, key: KeyObject, sentence) => {
    const error = await refusal(makePair({ key }).chain, nativeSigner(key));
    expect(error.code).toBe('key_weak');
    expect(error.message).toMatch(sentence);
  });

  test.each([
    ['another of its kind', ecKey()],
    ['one of another kind', keyPair('Ed25519').privateKey],
    ["the root's", 'root'],
  ] as const)('%s is not the key of the issuing CA', async (_, key) => {
    const { chain, root } = makePair();
    const error = await refusal(chain, nativeSigner(key === 'root' ? root.key : key));
    expect(error.code).toBe('key_mismatch');
  });
});

describe('the probe', () => {
  const { chain, issuing } = makePair();
  const signer = nativeSigner(issuing.key);

  test('finds a signer that claims a public key it does not have', async () => {
    const other = nativeSigner(ecKey());
    const error = await refusal(chain, { ...other, publicKey: signer.publicKey });
    expect(error.code).toBe('signer_failed');
  });

  test('finds a signer that names another algorithm than it uses', async () => {
    expect((await refusal(chain, { ...signer, algorithm: 'ecdsa-p384-sha384' })).code).toBe('signer_failed');
    expect((await refusal(chain, { ...signer, algorithm: 'ed25519' })).code).toBe('signer_failed');
  });

  test('finds a signer that does not answer, and keeps its reason', async () => {
    const cause = new Error('token removed');
    const error = await refusal(chain, { ...signer, sign: () => Promise.reject(cause) });
    expect(error.code).toBe('signer_failed');
    expect(error.cause).toBe(cause);
    expect(error.message).not.toContain('token removed');
  });

  test('accepts one that answers later', async () => {
    await open(chain, { ...signer, sign: async (message) => signer.sign(message) });
  });
});

test('an empty chain, and a chain that breaks the rules', async () => {
  const { chain, issuing } = makePair();
  const signer = nativeSigner(issuing.key);
  expect((await refusal([], signer)).code).toBe('chain_empty');
  expect((await refusal([Uint8Array.of(0x30, 0)], signer)).code).toBe('certificate_malformed');
  expect((await refusal(chain.toReversed(), signer)).code).toBe('chain_order');
});

test('a key file and a certificate of the same key meet, whatever way the key came', async () => {
  const { chain, issuing } = makePair();
  const sec1 = issuing.key.export({ type: 'sec1', format: 'pem' });
  await open(chain, nativeSigner(createPrivateKey(sec1)));
});
