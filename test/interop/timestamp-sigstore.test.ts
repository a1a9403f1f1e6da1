// @sigstore/verify takes a bundle whose only proof of time is Mayfly's timestamp, from the trusted root alone.

import { createHash, createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { afterAll, describe, expect, test } from 'vitest';
import { instantOf } from '../../src/clock.ts';
import { type Bytes, base64, utf8 } from '../../src/encoding/bytes.ts';
import type { SigningAlgorithm } from '../../src/key/signer.ts';
import type { TimestampAuthorityOptions } from '../../src/timestamp/authority.ts';
import { parseJsonQuery } from '../../src/timestamp/json-query.ts';
import type { TrustMaterial } from '../../src/trust/material.ts';
import { trustedRoot } from '../../src/trust/trusted-root.ts';
import { type BundleContent, bundleOf } from '../fakes/bundle.ts';
import { describeWith } from '../fakes/skip.ts';
import {
  authorityOf,
  makeChain,
  settableClock,
  type TestChain,
  testChain,
} from '../unit/timestamp/openssl.ts';
import { materialOf } from '../unit/trust/material.ts';

describeWith('openssl', 'timestamps for Sigstore', () => {
  const ARTIFACT = utf8('what is signed');
  const DAY = 86_400_000;
  const sha256 = (data: Uint8Array): Bytes => new Uint8Array(createHash('sha256').update(data).digest());

  const made = makeChain({ intermediate: true });
  const leaf = makeLeaf(made);
  afterAll(made.remove);

  /** A code-signing leaf for one day under the intermediate. */
  function makeLeaf({ directory, openssl }: TestChain): {
    readonly certificate: Bytes;
    sign(data: Uint8Array): Bytes;
  } {
    openssl(
      ...['req', '-x509', '-nodes', '-days', '1', '-config', 'empty.cnf', '-subj', '/CN=leaf', '-sha256'],
      ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', 'leaf.key', '-out', 'leaf.der'],
      ...[
        '-CA',
        'middle.crt',
        '-CAkey',
        'middle.key',
        '-outform',
        'DER',
        '-addext',
        'basicConstraints=CA:FALSE',
      ],
      ...['-addext', 'subjectAltName=email:a@example.com', '-addext', 'extendedKeyUsage=codeSigning'],
    );
    const key = createPrivateKey(readFileSync(join(directory, 'leaf.key')));
    return {
      certificate: new Uint8Array(readFileSync(join(directory, 'leaf.der'))),
      sign: (data) => new Uint8Array(sign('sha256', data, key)),
    };
  }

  async function timestamp(
    signature: Uint8Array,
    by: TestChain = made,
    options: Partial<TimestampAuthorityOptions> = {},
  ): Promise<Bytes> {
    const query = { artifactHash: base64(sha256(signature)), hashAlgorithm: 'sha256', certificates: true };
    return authorityOf(by, options).timestamp(parseJsonQuery(JSON.stringify(query)));
  }

  function message(): BundleContent & { readonly kind: 'message-signature' } {
    return { kind: 'message-signature', digest: sha256(ARTIFACT), signature: leaf.sign(ARTIFACT) };
  }

  function verify(content: BundleContent, stamp: Bytes, trusted: TrustMaterial = materialOf(made)): void {
    const bundle = bundleFromJSON(bundleOf({ content, certificate: leaf.certificate, timestamps: [stamp] }));
    const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(trustedRoot(trusted))), {
      tlogThreshold: 0,
      ctlogThreshold: 0,
      timestampThreshold: 1,
    });
    verifier.verify(toSignedEntity(bundle, Buffer.from(ARTIFACT)), {
      subjectAlternativeName: /^a@example\.com$/,
    });
  }

  describe('a bundle verifies', () => {
    test('with a message signature', async () => {
      const content = message();
      verify(content, await timestamp(content.signature));
    });

    test('with a DSSE envelope', async () => {
      const payloadType = 'application/vnd.in-toto+json';
      const payload = utf8('{"_type":"https://in-toto.io/Statement/v1"}');
      // Pre-authentication encoding (DSSE protocol.md)
      const signature = leaf.sign(
        Buffer.concat([utf8(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `), payload]),
      );
      verify({ kind: 'dsse', payloadType, payload, signature }, await timestamp(signature));
    });

    const algorithms: readonly SigningAlgorithm[] = [
      'ecdsa-p384-sha384',
      'ecdsa-p521-sha512',
      'rsa-pkcs1-sha256',
    ];
    test.each(algorithms)('with a timestamp by a %s key', async (algorithm) => {
      const other = testChain({ algorithm });
      const content = message();
      verify(content, await timestamp(content.signature, other), trusting(other));
    });
  });

  /** The made-up instance with another timestamp authority. */
  function trusting({ chain }: TestChain): TrustMaterial {
    const material = materialOf(made);
    return {
      ...material,
      timestampAuthorities: material.timestampAuthorities.map((one) => ({ ...one, chain })),
    };
  }

  describe('a bundle fails', () => {
    const timestampError: unknown = expect.objectContaining({ code: 'TIMESTAMP_ERROR' });

    test('with the timestamp of another signature', async () => {
      const stamp = await timestamp(leaf.sign(ARTIFACT));
      expect(() => verify(message(), stamp)).toThrow(timestampError);
    });

    test('with the timestamp of an authority that the root does not list', async () => {
      const content = message();
      const stamp = await timestamp(content.signature, testChain({ intermediate: true }));
      expect(() => verify(content, stamp)).toThrow(timestampError);
    });

    test('with a changed timestamp', async () => {
      const content = message();
      const stamp = await timestamp(content.signature);
      const genTime = Buffer.from(stamp).indexOf(String(new Date().getUTCFullYear()));
      stamp[genTime + 13] = (stamp[genTime + 13] ?? 0) ^ 1; // the last digit of the seconds
      expect(() => verify(content, stamp)).toThrow(timestampError);
    });

    test('with a timestamp from after the authority was retired', async () => {
      const content = message();
      const stamp = await timestamp(content.signature);
      const material = materialOf(made);
      const [authority] = material.timestampAuthorities;
      expect(() =>
        verify(content, stamp, {
          ...material,
          timestampAuthorities:
            authority === undefined ? [] : [{ ...authority, retired: instantOf(Date.now() - DAY) }],
        }),
      ).toThrow(timestampError);
    });

    test('when the certificate had expired at the time of the timestamp', async () => {
      const content = message();
      const stamp = await timestamp(content.signature, made, { clock: settableClock(Date.now() + 2 * DAY) });
      expect(() => verify(content, stamp)).toThrow(expect.objectContaining({ code: 'CERTIFICATE_ERROR' }));
    });

    test('over another artifact', async () => {
      const content = { ...message(), signature: leaf.sign(utf8('something else')) };
      const stamp = await timestamp(content.signature);
      expect(() => verify(content, stamp)).toThrow(expect.objectContaining({ code: 'SIGNATURE_ERROR' }));
    });
  });
});
