// Keys: which get a certificate, how their possession is proven, and what is told of the others.

import { sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Answer } from '../fakes/client.ts';
import { issuedBy, type Order, pemOf, proofOf, request, spkiOf } from '../fakes/signing-client.ts';
import { type RequestOptions, signingRequest } from '../fakes/signing-request.ts';
import { ACCEPTED, type Kind, keyPair } from '../vectors/key-pairs.ts';
import { expectRefusal, INSECURE, UNPARSEABLE_CSR, UNPARSEABLE_KEY, UNPROVEN, type World } from './world.ts';

const KINDS = ACCEPTED.map(([kind]) => kind);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export function keys(the: () => World): void {
  const order = async (rest: Order): Promise<Answer> =>
    request(the().url, { token: await the().token(), ...rest });
  const certifies = (answer: Answer, kind: Kind): void => {
    expect(issuedBy(answer).leaf.spki).toBe(hex(spkiOf(kind)));
  };

  describe.each(KINDS)('%s', (kind) => {
    test('with a proof', async () => certifies(await order({ key: kind }), kind));
    test('with a request', async () => certifies(await order({ csr: signingRequest(kind) }), kind));
    test('over version 1', async () => {
      certifies(await order({ api: 'v1', key: kind }), kind);
      certifies(await order({ api: 'v1', key: kind, publicKey: spkiOf(kind) }), kind);
      certifies(await order({ api: 'v1', csr: signingRequest(kind) }), kind);
    });
    test('with the proof of another key', async () => {
      const { email } = the().person();
      const token = await the().token({ email });
      const other = kind === 'Ed25519' ? 'P-256' : 'Ed25519';
      const answer = await order({ token, key: kind, proof: proofOf(other, email) });
      expectRefusal(answer, { message: UNPROVEN, reason: 'POSSESSION_UNPROVEN' });
    });
    test('with a proof over something else', async () => {
      expectRefusal(await order({ key: kind, challenge: 'something else' }), { message: UNPROVEN });
    });
    test('with a request that was changed', async () => {
      const csr = signingRequest(kind, { broken: true });
      expectRefusal(await order({ csr }), { message: UNPROVEN, reason: 'POSSESSION_UNPROVEN' });
    });
  });

  describe('proofs', () => {
    const proven = async (key: Kind, prove: (challenge: Buffer) => Uint8Array): Promise<Answer> => {
      const { email } = the().person();
      return order({ key, token: await the().token({ email }), proof: prove(Buffer.from(email)) });
    };
    const p1363 = (kind: Kind, hash: string) => (challenge: Buffer) =>
      sign(hash, challenge, { key: keyPair(kind).privateKey, dsaEncoding: 'ieee-p1363' });
    const hashed = (kind: Kind, hash: string) => (challenge: Buffer) =>
      sign(hash, challenge, keyPair(kind).privateKey);

    test.each<[Kind, string]>([
      ['P-256', 'sha256'],
      ['P-384', 'sha384'],
      ['P-521', 'sha512'],
    ])('%s as r || s', async (kind, hash) => {
      expect((await proven(kind, p1363(kind, hash))).status).toBe(200);
    });

    test.each<[Kind, string, (challenge: Buffer) => Uint8Array]>([
      ['P-256', 'with SHA-384', hashed('P-256', 'sha384')],
      ['P-384', 'with SHA-256', hashed('P-384', 'sha256')],
      ['P-521', 'with SHA-256', hashed('P-521', 'sha256')],
      ['P-384', 'with SHA-256, as r || s', p1363('P-384', 'sha256')],
      ['RSA-2048', 'with SHA-512', hashed('RSA-2048', 'sha512')],
      [
        'RSA-2048',
        'with PSS',
        (challenge) =>
          sign('sha256', challenge, { key: keyPair('RSA-2048').privateKey, padding: 6, saltLength: 32 }),
      ],
      ['Ed25519', 'of 63 bytes', (challenge) => proofOf('Ed25519', challenge.toString()).subarray(1)],
      [
        'P-256',
        'with something after it',
        (challenge) => Buffer.concat([proofOf('P-256', challenge.toString()), Buffer.of(0)]),
      ],
      ['P-256', 'of zeros', () => Buffer.alloc(64)],
    ])('%s %s proves nothing', async (kind, _, prove) => {
      expectRefusal(await proven(kind, prove), { message: UNPROVEN, reason: 'POSSESSION_UNPROVEN' });
    });
  });

  describe('the text of a key', () => {
    const pem = pemOf('RSA-2048');
    const pkcs1 = keyPair('RSA-2048').publicKey.export({ type: 'pkcs1', format: 'pem' }).toString();

    test('in PKCS#1 becomes a SubjectPublicKeyInfo', async () => {
      certifies(await order({ key: 'RSA-2048', publicKey: pkcs1 }), 'RSA-2048');
    });

    test('may have other line ends, and none at its end', async () => {
      for (const publicKey of [pem.replaceAll('\n', '\r\n'), pem.trimEnd()])
        certifies(await order({ key: 'RSA-2048', publicKey }), 'RSA-2048');
    });

    test.each<[string, () => string]>([
      ['of another label', () => pem.replaceAll('PUBLIC KEY', 'EC PUBLIC KEY')],
      ['labelled as a certificate', () => pem.replaceAll('PUBLIC KEY', 'CERTIFICATE')],
      [
        'that is private',
        () => keyPair('RSA-2048').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      ],
      ['that is DER in base64', () => Buffer.from(spkiOf('RSA-2048')).toString('base64')],
      ['that is DER, read as Latin-1', () => Buffer.from(spkiOf('RSA-2048')).toString('latin1')],
      ['that is a JWK', () => JSON.stringify(keyPair('RSA-2048').publicKey.export({ format: 'jwk' }))],
      ['that is cut', () => pem.slice(0, 200)],
      ['that is empty', () => ''],
    ])('%s is none', async (_, publicKey) => {
      const answer = await order({ key: 'RSA-2048', publicKey: publicKey() });
      expectRefusal(answer, { message: UNPARSEABLE_KEY, reason: 'PUBLIC_KEY_INVALID' });
    });

    test('may hold DER only where the interface has bytes for it', async () => {
      const spki = spkiOf('P-256');
      for (const publicKey of [spki.subarray(1), Buffer.concat([spki, Buffer.of(0)]), Buffer.of(0x30)])
        expectRefusal(await order({ api: 'v1', publicKey }), { message: UNPARSEABLE_KEY });
    });
  });

  describe('keys that are refused', () => {
    test.each<Kind>(['RSA-1024', 'P-224', 'X25519', 'DSA'])('%s is insecure', async (key) => {
      expectRefusal(await order({ key }), { message: INSECURE, reason: 'KEY_REJECTED' });
    });

    test.each<Kind>(['secp256k1', 'brainpoolP256r1', 'Ed448', 'X448'])('%s is not read', async (key) => {
      const answer = await order({ key });
      expect(answer.status).toBe(400);
      expect([UNPARSEABLE_KEY, INSECURE]).toContain((answer.json as { message: string }).message);
    });
  });

  describe('requests', () => {
    test('what they ask for does not matter', async () => {
      const csr = signingRequest('P-256', { subject: 'evil', asksFor: 'evil@example.org' });
      const { leaf } = issuedBy(await order({ csr }));
      expect(leaf.subject).toBe('3000');
      expect(leaf.names).toEqual([{ kind: 'email', value: expect.stringMatching(/^person-/) }]);
      expect(leaf.extension('2.5.29.19')).toBeUndefined();
    });

    test('may have the older label', async () => {
      certifies(await order({ csr: signingRequest('P-256', { label: 'NEW CERTIFICATE REQUEST' }) }), 'P-256');
    });

    test.each<[Kind, RequestOptions, string]>([
      ['RSA-2048', { algorithm: 'rsa-sha384' }, 'signing algorithm not permitted: *rsa.PublicKey, SHA-384'],
      ['RSA-2048', { algorithm: 'rsa-sha512' }, 'signing algorithm not permitted: *rsa.PublicKey, SHA-512'],
      ['P-256', { algorithm: 'ecdsa-sha384' }, 'signing algorithm not permitted: *ecdsa.PublicKey, SHA-384'],
      ['P-384', { algorithm: 'ecdsa-sha256' }, 'signing algorithm not permitted: *ecdsa.PublicKey, SHA-256'],
      ['RSA-2048', { algorithm: 'rsa-pss-sha256' }, 'unrecognized signature algorithm: SHA256-RSAPSS'],
      ['RSA-2048', { algorithm: 'rsa-sha1' }, 'unrecognized signature algorithm: SHA1-RSA'],
      ['P-256', { algorithm: 'ecdsa-sha1' }, 'unrecognized signature algorithm: ECDSA-SHA1'],
      ['RSA-1024', {}, INSECURE],
      ['P-224', {}, INSECURE],
      ['P-256', { label: 'CERTIFICATE' }, UNPARSEABLE_CSR],
      ['P-256', { label: 'PUBLIC KEY' }, UNPARSEABLE_CSR],
      ['secp256k1', {}, UNPARSEABLE_CSR],
    ])('%s %j: %s', async (kind, options, message) => {
      expectRefusal(await order({ csr: signingRequest(kind, options) }), { message });
    });

    test.each(['', 'x', '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n'])(
      '%j is none',
      async (csr) => {
        expectRefusal(await order({ csr: csr || ' ' }), { message: UNPARSEABLE_CSR, reason: 'CSR_INVALID' });
      },
    );
  });
}
