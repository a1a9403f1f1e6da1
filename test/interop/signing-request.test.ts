// Requests that OpenSSL and PKIjs made, and what becomes of each.

import { describe, expect, test } from 'vitest';
import { encodePem } from '../../src/encoding/pem.ts';
import { ALGORITHM_NAMES, AlgorithmAllowList, DEFAULT_ALGORITHMS } from '../../src/key/algorithm.ts';
import { parseSigningRequest } from '../../src/key/csr.ts';
import { verifyPossession } from '../../src/key/possession.ts';
import { nativeVerifier } from '../../src/node/system/native-verifier.ts';
import { webCryptoVerifier } from '../../src/web/webcrypto-verifier.ts';
import { describeWith } from '../fakes/skip.ts';
import { type Kind, spkiOf } from '../vectors/key-pairs.ts';
import { problemOf } from '../vectors/key-problem.ts';
import { opensslRequest, pkijsRequest } from '../vectors/key-requests.ts';

describeWith('openssl', 'certification requests', () => {
  const UNPROVEN = ['possession_unproven', 'The signature supplied in the request could not be verified'];
  const INSECURE = ['key_rejected', 'The public key supplied in the request is insecure'];
  const UNPARSEABLE = ['csr_invalid', 'The certificate signing request could not be parsed'];
  const notPermitted = (what: string) => [
    'algorithm_not_permitted',
    `signing algorithm not permitted: ${what}`,
  ];
  const unrecognized = (name: string) => [
    'algorithm_unrecognized',
    `unrecognized signature algorithm: ${name}`,
  ];

  const VERIFIERS = [nativeVerifier, webCryptoVerifier];
  const byDefault = AlgorithmAllowList.parse(DEFAULT_ALGORITHMS);
  const everything = AlgorithmAllowList.parse(ALGORITHM_NAMES);

  /** SubjectPublicKeyInfo of the proven key, by every verifier alike. */
  async function prove(pem: Uint8Array, allowed = byDefault): Promise<Uint8Array> {
    const proof = { kind: 'csr', request: parseSigningRequest(pem) } as const;
    const keys = await Promise.all(
      VERIFIERS.map((verifier) => verifyPossession(proof, 'unused', verifier, allowed)),
    );
    for (const key of keys) expect(key).toBe(proof.request.publicKey);
    return proof.request.publicKey.spki;
  }

  const pss = (salt: string) => ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', `rsa_pss_saltlen:${salt}`];

  describe('OpenSSL', () => {
    test.each([
      ['P-256', '-sha256'],
      ['P-384', '-sha384'],
      ['P-521', '-sha512'],
      ['RSA-2048', '-sha256'],
      ['RSA-3072', '-sha256'],
      ['RSA-4096', '-sha256'],
      ['Ed25519'],
      ['P-256', '-sha256', '-newhdr'],
    ] as const)('%s %s %s proves its key, and the key alone', async (kind, ...args) => {
      const pem = opensslRequest(kind, ...args);
      expect(pem.includes('NEW CERTIFICATE REQUEST')).toBe(args.some((arg) => arg === '-newhdr'));
      expect(await prove(pem)).toEqual(spkiOf(kind));
    });

    test.each<[Kind, readonly string[], readonly string[]]>([
      ['RSA-2048', ['-sha384'], notPermitted('*rsa.PublicKey, SHA-384')],
      ['RSA-2048', ['-sha512'], notPermitted('*rsa.PublicKey, SHA-512')],
      ['P-256', ['-sha384'], notPermitted('*ecdsa.PublicKey, SHA-384')],
      ['P-384', ['-sha256'], notPermitted('*ecdsa.PublicKey, SHA-256')],
      ['P-521', ['-sha256'], notPermitted('*ecdsa.PublicKey, SHA-256')],
      ['RSA-2048', ['-sha1'], unrecognized('SHA1-RSA')],
      ['P-256', ['-sha1'], unrecognized('ECDSA-SHA1')],
      ['RSA-2048', ['-sha256', ...pss('digest')], unrecognized('SHA256-RSAPSS')],
      ['RSA-2048', ['-sha384', ...pss('digest')], unrecognized('SHA384-RSAPSS')],
      ['RSA-2048', ['-sha512', ...pss('digest')], unrecognized('SHA512-RSAPSS')],
      ['RSA-2048', ['-sha256', ...pss('max')], UNPROVEN],
      ['RSA-2048', ['-sha1', ...pss('digest')], UNPROVEN],
      ['RSA-2048', ['-md5'], UNPROVEN],
      ['RSA-2048', ['-sha224'], UNPROVEN],
      ['P-256', ['-sha224'], UNPROVEN],
      ['RSA-1024', ['-sha256'], INSECURE],
      ['RSA-1024', ['-sha1'], INSECURE],
      ['P-224', ['-sha256'], INSECURE],
      ['DSA', ['-sha256'], INSECURE],
      ['Ed448', [], INSECURE],
      ['RSA-PSS', ['-sha256'], INSECURE],
      ['secp256k1', ['-sha256'], UNPARSEABLE],
      ['brainpoolP256r1', ['-sha256'], UNPARSEABLE],
    ])('%s %j is refused', async (kind, args, problem) => {
      const pem = opensslRequest(kind, ...args);
      expect(await problemOf(() => prove(pem))).toEqual(problem);
    });

    test('a list may permit SHA-256 with the larger curves', async () => {
      for (const kind of ['P-384', 'P-521'] as const)
        expect(await prove(opensslRequest(kind, '-sha256'), everything)).toEqual(spkiOf(kind));
    });
  });

  describe('PKIjs over @peculiar/webcrypto', () => {
    const rsa = (name: string, hash: string) =>
      ({ name, modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash }) as const;

    test.each([
      [{ name: 'ECDSA', namedCurve: 'P-256' }, 'SHA-256', undefined],
      [{ name: 'ECDSA', namedCurve: 'P-384' }, 'SHA-384', undefined],
      [{ name: 'ECDSA', namedCurve: 'P-521' }, 'SHA-512', undefined],
      [{ name: 'ECDSA', namedCurve: 'P-256' }, 'SHA-512', notPermitted('*ecdsa.PublicKey, SHA-512')],
      [rsa('RSASSA-PKCS1-v1_5', 'SHA-256'), 'SHA-256', undefined],
      [rsa('RSASSA-PKCS1-v1_5', 'SHA-512'), 'SHA-512', notPermitted('*rsa.PublicKey, SHA-512')],
      [rsa('RSA-PSS', 'SHA-256'), 'SHA-256', unrecognized('SHA256-RSAPSS')],
    ] as const)('%j with %s', async (algorithm, hash, problem) => {
      const { der, spki } = await pkijsRequest(algorithm, hash);
      const pem = Buffer.from(encodePem('CERTIFICATE REQUEST', der));
      if (problem === undefined) expect(await prove(pem)).toEqual(spki);
      else expect(await problemOf(() => prove(pem))).toEqual(problem);
    });
  });
});
