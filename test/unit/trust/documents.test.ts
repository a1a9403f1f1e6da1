// The trust documents, member by member, and as sigstore's own code reads them.

import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClientTrustConfig, SigningConfig, TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial } from '@sigstore/verify';
import { afterAll, describe, expect, test } from 'vitest';
import { instantOf } from '../../../src/clock.ts';
import { base64 } from '../../../src/encoding/bytes.ts';
import { clientTrustConfig } from '../../../src/trust/client-trust-config.ts';
import { validityOfChain, validityOfLog } from '../../../src/trust/material.ts';
import { signingConfig } from '../../../src/trust/signing-config.ts';
import { keyDetailsOf, trustedRoot } from '../../../src/trust/trusted-root.ts';
import { describeWith } from '../../fakes/skip.ts';
import { makeChain } from '../timestamp/openssl.ts';
import { CREATED, logOf, materialOf, spkiOf } from './material.ts';

describeWith('openssl', 'trust documents', () => {
  const made = makeChain({ intermediate: true });
  afterAll(made.remove);
  const material = materialOf(made);
  const [log] = material.logs;
  const retired = instantOf(Date.UTC(2030, 0, 1));

  /** What sigstore's code, which drops all that it does not know, wrote again: its times always have a fraction. */
  const again = (document: object): object =>
    JSON.parse(JSON.stringify(document).replaceAll(/\.000Z"/g, 'Z"'));

  /** `2026-11-24T23:24:25Z` of a certificate's notBefore. */
  function start(certificate: Uint8Array | undefined): string {
    const { validFrom } = new X509Certificate(certificate ?? new Uint8Array());
    return new Date(validFrom).toISOString().replace('.000', '');
  }

  describe('the trusted root', () => {
    test('in full', () => {
      const [tsa, middle, root] = made.chain;
      const raw = (der: Uint8Array = new Uint8Array()): object => ({ rawBytes: base64(der) });
      expect(trustedRoot(material)).toEqual({
        mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
        tlogs: [],
        certificateAuthorities: [
          {
            subject: { organization: 'Test', commonName: 'root' },
            uri: 'https://ca.example.com',
            certChain: { certificates: [raw(middle), raw(root)] },
            validFor: { start: start(middle) },
          },
        ],
        ctlogs: [
          {
            baseUrl: 'https://ca.example.com/log',
            hashAlgorithm: 'SHA2_256',
            publicKey: {
              ...raw(log?.spki),
              keyDetails: 'PKIX_ECDSA_P256_SHA_256',
              validFor: { start: '2026-01-02T03:04:05Z' },
            },
            logId: { keyId: base64(log?.logId ?? new Uint8Array()) },
          },
        ],
        timestampAuthorities: [
          {
            subject: { organization: 'Test', commonName: 'root' },
            uri: 'https://ca.example.com/api/v1/timestamp',
            certChain: { certificates: [raw(tsa), raw(middle), raw(root)] },
            validFor: { start: start(tsa) },
          },
        ],
      });
    });

    test('is read by sigstore without loss', () => {
      const spki = spkiOf(generateKeyPairSync('ed25519').publicKey);
      const signatureLogs = [{ ...logOf(spki, 'https://rekor.example.com'), majorApiVersion: 2 as const }];
      const document = trustedRoot({ ...material, signatureLogs });
      expect(again(TrustedRoot.toJSON(TrustedRoot.fromJSON(document)) as object)).toEqual(document);
    });

    test('becomes the trust material of @sigstore/verify', () => {
      const trusted = toTrustMaterial(TrustedRoot.fromJSON(trustedRoot(material)));
      expect(trusted.certificateAuthorities.map(({ certChain }) => certChain.length)).toEqual([2]);
      expect(trusted.timestampAuthorities.map(({ certChain }) => certChain.length)).toEqual([3]);
      expect(trusted.ctlogs.map(({ logID }) => new Uint8Array(logID))).toEqual([log?.logId]);
      expect(trusted.ctlogs[0]?.publicKey.export({ type: 'spki', format: 'der' })).toEqual(
        Buffer.from(log?.spki ?? []),
      );
    });

    test('keeps what is retired, with its end', () => {
      const { certificateAuthorities, ctlogs } = trustedRoot({
        ...material,
        authorities: material.authorities.map((authority) => ({ ...authority, retired })),
        logs: material.logs.map((one) => ({ ...one, validFor: { start: CREATED, end: retired } })),
      });
      expect(certificateAuthorities[0]?.validFor.end).toBe('2030-01-01T00:00:00Z');
      expect(ctlogs[0]?.publicKey.validFor.end).toBe('2030-01-01T00:00:00Z');
    });

    test('a root without a name is shown as the operator', () => {
      made.openssl(
        ...['req', '-x509', '-nodes', '-config', 'empty.cnf', '-subj', '/C=CH', '-newkey', 'ed25519'],
        ...[
          '-keyout',
          'nameless.key',
          '-out',
          'nameless.crt',
          '-addext',
          'basicConstraints=critical,CA:TRUE',
        ],
        ...['-outform', 'DER'],
      );
      const chain = [new Uint8Array(readFileSync(join(made.directory, 'nameless.crt')))];
      expect(
        trustedRoot({ ...material, authorities: [{ chain }] }).certificateAuthorities[0]?.subject,
      ).toEqual({
        organization: 'example.com',
        commonName: 'example.com',
      });
    });
  });

  describe('the signing configuration', () => {
    const [tsa, middle] = made.chain;
    const service = (url: string, certificate: Uint8Array | undefined): object => ({
      url,
      majorApiVersion: 1,
      validFor: { start: start(certificate) },
      operator: 'example.com',
    });

    test('in full', () => {
      expect(signingConfig(material)).toEqual({
        mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
        caUrls: [service('https://ca.example.com', middle)],
        oidcUrls: [service('https://login.example.com', middle)],
        rekorTlogUrls: [],
        tsaUrls: [service('https://ca.example.com/api/v1/timestamp', tsa)],
        tsaConfig: { selector: 'ANY' },
      });
    });

    test('with a signature log, read by sigstore without loss', () => {
      const spki = spkiOf(generateKeyPairSync('ed25519').publicKey);
      const signatureLogs = [{ ...logOf(spki, 'https://rekor.example.com'), majorApiVersion: 2 as const }];
      const document = signingConfig({ ...material, signatureLogs });
      expect(document.rekorTlogUrls).toEqual([
        {
          url: 'https://rekor.example.com',
          majorApiVersion: 2,
          validFor: { start: '2026-01-02T03:04:05Z' },
          operator: 'example.com',
        },
      ]);
      expect(document.rekorTlogConfig).toEqual({ selector: 'ANY' });
      expect(again(SigningConfig.toJSON(SigningConfig.fromJSON(document)) as object)).toEqual(document);
    });

    test('names no service that is retired or absent', () => {
      const document = signingConfig({
        ...material,
        timestampAuthorities: material.timestampAuthorities.map((one) => ({ ...one, retired })),
        signatureLogs: material.logs.map((one) => ({
          ...one,
          majorApiVersion: 1 as const,
          validFor: { start: CREATED, end: retired },
        })),
      });
      expect(document.tsaUrls).toEqual([]);
      expect(document.rekorTlogUrls).toEqual([]);
      expect(document).not.toHaveProperty('tsaConfig');
      expect(document).not.toHaveProperty('rekorTlogConfig');
    });
  });

  test('the client trust configuration holds both', () => {
    const document = clientTrustConfig(material);
    expect(document).toEqual({
      mediaType: 'application/vnd.dev.sigstore.clienttrustconfig.v0.1+json',
      trustedRoot: trustedRoot(material),
      signingConfig: signingConfig(material),
    });
    const read = ClientTrustConfig.fromJSON(document);
    expect(read.signingConfig?.caUrls[0]?.url).toBe('https://ca.example.com');
    expect(read.trustedRoot?.certificateAuthorities).toHaveLength(1);
  });

  describe('validity', () => {
    test('of a chain starts with its first certificate', () => {
      expect(validityOfChain({ chain: made.chain })).toEqual({
        start: Date.parse(start(made.chain[0])),
      });
      expect(() => validityOfChain({ chain: [] })).toThrow(TypeError);
    });

    test('of a log starts before its key was made', () => {
      expect(validityOfLog(CREATED, retired)).toEqual({ start: CREATED - 3_600_000, end: retired });
    });
  });

  describe('key details', () => {
    const ec = (namedCurve: string): Uint8Array<ArrayBuffer> =>
      spkiOf(generateKeyPairSync('ec', { namedCurve }).publicKey);
    const rsa = (modulusLength: number): Uint8Array<ArrayBuffer> =>
      spkiOf(generateKeyPairSync('rsa', { modulusLength }).publicKey);

    test.each([
      ['PKIX_ECDSA_P256_SHA_256', () => ec('P-256')],
      ['PKIX_ECDSA_P384_SHA_384', () => ec('P-384')],
      ['PKIX_ECDSA_P521_SHA_512', () => ec('P-521')],
      ['PKIX_ED25519', () => spkiOf(generateKeyPairSync('ed25519').publicKey)],
      ['PKIX_RSA_PKCS1V15_2048_SHA256', () => rsa(2048)],
    ] as const)('%s', (name, spki) => {
      expect(keyDetailsOf(spki())).toBe(name);
    });

    test('no name for an odd size', () => {
      expect(() => keyDetailsOf(rsa(1024))).toThrow(TypeError);
    });
  });
});
