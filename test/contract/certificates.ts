// Certificates: the profile of every leaf (fulcio docs/certificate-specification.md), and the leaves that Fulcio issued.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { FULCIO, readCertificate, SAN, SCT_LIST } from '../fakes/certificate.ts';
import { newSigningKey, type SigningKey, signToken } from '../fakes/issuer.ts';
import { issue, issuedBy, request } from '../fakes/signing-client.ts';
import metadata from '../vectors/identity-ci-metadata.json' with { type: 'json' };
import leaves from '../vectors/reference-leaves.json' with { type: 'json' };
import { KINDS } from './kinds.ts';
import type { Start, Started, World } from './world.ts';

const AKI = '2.5.29.35';
const SKI = '2.5.29.14';
const fulcio = (n: number): string => `${FULCIO}.${n}`;

export function certificates(the: () => World, start: Start): void {
  describe('the leaf', () => {
    test('has the profile of Fulcio', async () => {
      const before = Math.floor(Date.now() / 1000) * 1000;
      const { leaf, authority, answer } = issuedBy(await request(the().url, { token: await the().token() }));
      expect(Object.keys(answer.json as object)).toEqual(['signedCertificateEmbeddedSct']);
      expect(leaf.version).toBe(3);
      expect(leaf.serial).toMatch(/^[0-7][0-9a-f]{39}$/);
      expect(leaf.issuer).toBe(authority.subject);
      expect(leaf.subject).toBe('3000');
      expect(leaf.notAfter - leaf.notBefore).toBe(600_000);
      expect(leaf.notBefore).toBeGreaterThanOrEqual(before);
      expect(leaf.notBefore).toBeLessThanOrEqual(Date.now());
      expect(leaf.signatureAlgorithm).toBe(leaf.tbsSignatureAlgorithm);
      expect(leaf.x509.verify(authority.x509.publicKey)).toBe(true);
      expect(leaf.x509.ca).toBe(false);
      expect(leaf.extensions.map(({ id, critical }) => [id, critical])).toEqual([
        ['2.5.29.15', true],
        ['2.5.29.37', false],
        [SKI, false],
        [AKI, false],
        [SAN, true],
        [fulcio(1), false],
        [fulcio(8), false],
        [fulcio(24), false],
        [SCT_LIST, false],
      ]);
      expect(leaf.extension('2.5.29.15')?.value).toBe('03020780');
      expect(leaf.extension('2.5.29.37')?.value).toBe('300a06082b06010505070303');
      const authorityId = authority.extension(SKI)?.value.slice(4);
      expect(leaf.extension(AKI)?.value).toBe(`3016${'80'}14${authorityId}`);
      const hash = createHash('sha256').update(Buffer.from(leaf.spki, 'hex')).digest('hex');
      expect(leaf.extension(SKI)?.value).toBe(`0420${hash}`);
    });

    test('is in PEM without white space around, and the root comes last', async () => {
      const { chain } = issuedBy(await request(the().url, { token: await the().token() }));
      expect(chain).toHaveLength(3);
      for (const pem of chain)
        expect(pem).toMatch(
          /^-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]{1,64}\n)+-----END CERTIFICATE-----$/,
        );
      const [leaf, authority, root] = chain.map((pem) => readCertificate(pem));
      expect(leaf?.x509.checkIssued(authority?.x509 ?? leaf.x509)).toBe(true);
      expect(authority?.x509.verify(root?.x509.publicKey ?? authority.x509.publicKey)).toBe(true);
      expect(root?.subject).toBe(root?.issuer);
    });

    test('has a serial number of its own', async () => {
      const token = await the().token();
      const issued = await Promise.all(Array.from({ length: 16 }, () => issue(the().url, { token })));
      expect(new Set(issued.map(({ leaf }) => leaf.serial)).size).toBe(16);
    });

    test('holds one SCT of version 1 of one log, from just now', async () => {
      const { leaf } = await issue(the().url, { token: await the().token() });
      const list = Buffer.from(leaf.extension(SCT_LIST)?.value ?? '', 'hex');
      const inner = list.subarray(list.length - list.readUInt16BE(list.indexOf(0x00, 2)) - 2);
      expect(inner.readUInt16BE(0)).toBe(inner.length - 2);
      expect(inner.readUInt16BE(2)).toBe(inner.length - 4);
      expect(inner[4]).toBe(0);
      const timestamp = Number(inner.readBigUInt64BE(37));
      expect(Math.abs(timestamp - Date.now())).toBeLessThan(60_000);
    });
  });

  describe("Fulcio's own leaves", () => {
    let instances: Record<'logged' | 'unlogged', Started>;
    let signers: ReadonlyMap<string, SigningKey>;

    beforeAll(async () => {
      signers = new Map(
        await Promise.all(
          ['ES256', 'ES512'].map(
            async (alg): Promise<[string, SigningKey]> => [alg, await newSigningKey(alg)],
          ),
        ),
      );
      const text = referenceConfiguration([...signers.values()]);
      const [logged, unlogged] = await Promise.all([start(text), start(`log: none\n${text}`)]);
      instances = { logged, unlogged };
    });
    afterAll(async () => {
      await Promise.all([instances.logged.close(), instances.unlogged.close()]);
    });

    test('are 28', () => expect(leaves).toHaveLength(28));

    test.each(leaves)('$id', async (reference) => {
      const theirs = readCertificate(reference.certificates[0] ?? '');
      const logged = theirs.extension(SCT_LIST) !== undefined;
      const key = signers.get(reference.id === 'token-alg-ES512' ? 'ES512' : 'ES256');
      if (key === undefined) throw new Error('no key');
      const now = Math.floor(Date.now() / 1000);
      const token = await signToken(
        { iss: reference.issuer, aud: 'sigstore', iat: now, exp: now + 300, ...dated(reference.claims, now) },
        key,
        reference.id === 'token-kid-absent' ? { kid: undefined } : {},
      );
      const kind = KEYS[reference.key as keyof typeof KEYS];
      const { url } = logged ? instances.logged : instances.unlogged;
      const { leaf, answer } = await issue(url, { token, key: kind });
      const member = logged ? 'signedCertificateEmbeddedSct' : 'signedCertificateDetachedSct';
      expect(Object.keys(answer.json as object)).toEqual([member]);
      // Apart from what is of the key, the authority and the log: theirs has no SKI.
      const ours = leaf.extensions.filter(({ id }) => id !== SKI);
      const bare = ({ id, critical, value }: (typeof ours)[number]) =>
        [AKI, SCT_LIST].includes(id) ? { id, critical } : { id, critical, value };
      expect(ours.map(bare)).toEqual(theirs.extensions.map(bare));
      expect(leaf.extensions[2]?.id).toBe(SKI);
      expect(leaf.subject).toBe(theirs.subject);
    });

    test('without a log the detached timestamp is empty', async () => {
      const [key] = signers.values();
      if (key === undefined) throw new Error('no key');
      const claims = { sub: 'x', email: 'dana@example.org', email_verified: true, aud: 'sigstore' };
      const token = await signToken(
        { ...claims, iss: EMAIL_ISSUER, exp: Math.floor(Date.now() / 1000) + 60 },
        key,
      );
      const { json, headers } = (await issue(instances.unlogged.url, { token })).answer;
      expect((json as { signedCertificateDetachedSct: object }).signedCertificateDetachedSct).toEqual({
        chain: { certificates: [expect.any(String), expect.any(String), expect.any(String)] },
        signedCertificateTimestamp: '',
      });
      expect(headers['sct']).toBeUndefined();
      const v1 = await request(instances.unlogged.url, { api: 'v1', token });
      expect(v1.status).toBe(201);
      expect(v1.headers['sct']).toBeUndefined();
    });
  });

  test('every kind gives a leaf that Node reads as one of the authority', async () => {
    for (const kind of KINDS.slice(0, 8)) {
      const challenge = kind.challenge ?? String(kind.claims['sub']);
      const { leaf, authority } = await issue(the().url, { token: await the().tokenOf(kind), challenge });
      expect(leaf.x509.checkIssued(authority.x509)).toBe(true);
      expect(leaf.x509.keyUsage).toEqual(['1.3.6.1.5.5.7.3.3']);
    }
  });
}

/** `{ $now: N }` stands for N seconds from now. */
function dated(claims: object, now: number): object {
  const entries = Object.entries(claims).map(([name, value]: [string, unknown]): [string, unknown] =>
    typeof value === 'object' && value !== null && '$now' in value
      ? [name, now + Number(value.$now)]
      : [name, value],
  );
  return Object.fromEntries(entries);
}

const KEYS = {
  'ecdsa-p256': 'P-256',
  'ecdsa-p384': 'P-384',
  ed25519: 'Ed25519',
  'rsa-2048': 'RSA-2048',
} as const;
const EMAIL_ISSUER = 'http://127.0.0.1:45667/i0';

/** The issuers of the reference leaves, with our key in the place of theirs. */
function referenceConfiguration(keys: readonly SigningKey[]): string {
  const jwks = { keys: keys.map(({ jwk }) => jwk) };
  const oidc: Record<string, object> = {};
  const meta: Record<string, object> = {};
  const templates: Record<string, object> = { ...metadata.named };
  const byCase = new Map<string, object>(Object.entries(metadata.byCase));
  for (const leaf of leaves) {
    const own = byCase.get(leaf.id);
    if (own !== undefined) templates[leaf.id] = own;
    const named = 'ci_provider' in leaf ? leaf.ci_provider : own === undefined ? undefined : leaf.id;
    const entry = {
      'client-id': 'sigstore',
      ...leaf.config,
      ...(named !== undefined && { 'ci-provider': named }),
      jwks,
    };
    if (/\/i\d+\/./.test(leaf.issuer)) meta[leaf.issuer.replace(/[^/]+$/, '*')] = entry;
    else oidc[leaf.issuer] = { 'issuer-url': leaf.issuer, ...entry };
  }
  return stringify(
    { 'oidc-issuers': oidc, 'meta-issuers': meta, 'ci-issuer-metadata': templates },
    { aliasDuplicateObjects: false },
  );
}
