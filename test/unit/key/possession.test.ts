import { constants, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ALGORITHM_NAMES, AlgorithmAllowList, DEFAULT_ALGORITHMS } from '../../../src/key/algorithm.ts';
import { verifyPossession } from '../../../src/key/possession.ts';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import type { SignatureVerifier } from '../../../src/key/verifier.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';
import { webCryptoVerifier } from '../../../src/web/webcrypto-verifier.ts';
import { ACCEPTED, type Kind, keyPair, pemOf, signWith } from '../../vectors/key-pairs.ts';
import { problemOf } from '../../vectors/key-problem.ts';

const CHALLENGE = 'dänä@example.org';
const UNPROVEN = ['possession_unproven', 'The signature supplied in the request could not be verified'];
const INSECURE = ['key_rejected', 'The public key supplied in the request is insecure'];

const byDefault = AlgorithmAllowList.parse(DEFAULT_ALGORITHMS);
const everything = AlgorithmAllowList.parse(ALGORITHM_NAMES);

const p1363 = (kind: Kind, hash: string): Uint8Array =>
  sign(hash, Buffer.from(CHALLENGE), { key: keyPair(kind).privateKey, dsaEncoding: 'ieee-p1363' });

describe.each([
  ['native', nativeVerifier],
  ['WebCrypto', webCryptoVerifier],
] as const satisfies [string, SignatureVerifier][])('with the %s verifier', (_, verifier) => {
  const refusal = (kind: Kind, signature: Uint8Array, challenge = CHALLENGE, allowed = everything) =>
    problemOf(() =>
      verifyPossession(
        { kind: 'possession', publicKey: parsePublicKey(pemOf(kind)), signature },
        challenge,
        verifier,
        allowed,
      ),
    );

  describe.each(ACCEPTED)('a %s key with %s', (kind, hash) => {
    const signature = signWith(kind, hash, CHALLENGE);

    test('is proven by a signature over the challenge, and comes back', async () => {
      const publicKey = parsePublicKey(pemOf(kind));
      const proof = { kind: 'possession', publicKey, signature } as const;
      expect(await verifyPossession(proof, CHALLENGE, verifier, byDefault)).toBe(publicKey);
    });

    test('is not proven by one over something else, by another key, by none, or by a damaged one', async () => {
      for (const challenge of ['', 'dana@example.org', `${CHALLENGE} `])
        expect(await refusal(kind, signature, challenge)).toEqual(UNPROVEN);
      expect(await refusal(kind, new Uint8Array())).toEqual(UNPROVEN);
      expect(await refusal(kind, signature.subarray(0, -1))).toEqual(UNPROVEN);
      expect(await refusal(kind, Buffer.concat([signature, Buffer.from([0])]))).toEqual(UNPROVEN);
      const damaged = signature.slice();
      damaged[20] = (damaged[20] ?? 0) ^ 1;
      expect(await refusal(kind, damaged)).toEqual(UNPROVEN);
      const other = kind === 'P-256' ? 'Ed25519' : 'P-256';
      expect(await refusal(other, signature)).toEqual(UNPROVEN);
    });
  });

  test.each([
    ['P-256', 'SHA-384'],
    ['P-256', 'SHA-512'],
    ['P-384', 'SHA-256'],
    ['P-521', 'SHA-256'],
    ['RSA-2048', 'SHA-384'],
    ['RSA-2048', 'SHA-512'],
  ] as const)('%s with %s proves nothing, whatever is permitted', async (kind, hash) => {
    expect(await refusal(kind, signWith(kind, hash, CHALLENGE))).toEqual(UNPROVEN);
  });

  test('RSA-PSS proves nothing', async () => {
    const signature = sign('sha256', Buffer.from(CHALLENGE), {
      key: keyPair('RSA-2048').privateKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 32,
    });
    expect(await refusal('RSA-2048', signature)).toEqual(UNPROVEN);
  });

  test.each([
    ['P-256', 'sha256', 64],
    ['P-384', 'sha384', 96],
    ['P-521', 'sha512', 132],
  ] as const)('ECDSA with %s may come as r || s', async (kind, hash, length) => {
    const signature = p1363(kind, hash);
    expect(signature).toHaveLength(length);
    expect(await refusal(kind, signature)).toBeUndefined();
    expect(await refusal(kind, signature, 'another')).toEqual(UNPROVEN);
    expect(await refusal(kind, signature.subarray(1))).toEqual(UNPROVEN);
    expect(await refusal(kind, signature.subarray(0, -2))).toEqual(UNPROVEN);
  });

  test('r || s may be padded with zeros, up to 132 bytes in all', async () => {
    const signature = p1363('P-256', 'sha256');
    const padded = (zeros: number): Buffer => {
      const zero = Buffer.alloc(zeros);
      return Buffer.concat([zero, signature.subarray(0, 32), zero, signature.subarray(32)]);
    };
    for (const zeros of [1, 34]) expect(await refusal('P-256', padded(zeros))).toBeUndefined();
    expect(await refusal('P-256', padded(35))).toEqual(UNPROVEN);
  });

  test('r or s of 0, or as large as the order, proves nothing', async () => {
    const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
    const [r, s] = [p1363('P-256', 'sha256').subarray(0, 32), p1363('P-256', 'sha256').subarray(32)];
    for (const pair of [
      [Buffer.alloc(32), s],
      [r, Buffer.alloc(32)],
      [order, s],
      [r, order],
      [Buffer.alloc(32), Buffer.alloc(32)],
    ])
      expect(await refusal('P-256', Buffer.concat(pair))).toEqual(UNPROVEN);
  });

  test('a weak key is told before a bad signature, a bad signature before the list', async () => {
    const nothing = AlgorithmAllowList.parse(['ed25519']);
    expect(await refusal('RSA-1024', new Uint8Array(), CHALLENGE, nothing)).toEqual(INSECURE);
    expect(await refusal('P-256', new Uint8Array(), CHALLENGE, nothing)).toEqual(UNPROVEN);
    expect(await refusal('P-256', signWith('P-256', 'SHA-256', CHALLENGE), CHALLENGE, nothing)).toEqual([
      'algorithm_not_permitted',
      'signing algorithm not permitted: *ecdsa.PublicKey, SHA-256',
    ]);
  });

  test('pure Ed25519 is not permitted by ed25519-ph', async () => {
    const ph = AlgorithmAllowList.parse(['ed25519-ph']);
    expect(await refusal('Ed25519', signWith('Ed25519', undefined, CHALLENGE), CHALLENGE, ph)).toEqual([
      'algorithm_not_permitted',
      'signing algorithm not permitted: ed25519.PublicKey, unknown hash value 0',
    ]);
  });
});
