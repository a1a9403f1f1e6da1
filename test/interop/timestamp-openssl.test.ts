// OpenSSL, which has its own RFC 3161, makes the queries and judges the replies.

import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createRoot, createTimestampCertificate } from '../../src/certificate/ca-certificate.ts';
import { systemClock } from '../../src/clock.ts';
import { encodePem } from '../../src/encoding/pem.ts';
import type { SigningAlgorithm } from '../../src/key/signer.ts';
import { makeEcdsaKey } from '../../src/node/keys/new-ca.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { nativeSigner } from '../../src/node/system/native-signer.ts';
import { describeWith } from '../fakes/skip.ts';
import { authorityOf, type TestChain, testChain } from '../unit/timestamp/openssl.ts';

describeWith('openssl', 'OpenSSL checks timestamps', () => {
  const ALGORITHMS: readonly SigningAlgorithm[] = [
    'ecdsa-p256-sha256',
    'ecdsa-p384-sha384',
    'ecdsa-p521-sha512',
    'rsa-pkcs1-sha256',
  ];

  async function exchange(made: TestChain, ...args: readonly string[]): Promise<void> {
    writeFileSync(join(made.directory, 'data'), 'what is timestamped');
    made.openssl('ts', '-query', '-data', 'data', '-out', 'request.tsq', ...args);
    const { der } = await authorityOf(made).answer(readFileSync(join(made.directory, 'request.tsq')));
    writeFileSync(join(made.directory, 'reply.tsr'), der);
  }

  const verify = (made: TestChain, ...args: readonly string[]): string =>
    made.openssl('ts', '-verify', '-in', 'reply.tsr', '-CAfile', 'root.crt', ...args);

  describe.each(ALGORITHMS)('a %s key', (algorithm) => {
    test.each(['-sha256', '-sha384', '-sha512'])('%s, with nonce and certificate', async (hash) => {
      const made = testChain({ algorithm });
      await exchange(made, hash, '-cert');
      expect(verify(made, '-queryfile', 'request.tsq')).toContain('Verification: OK');
      expect(verify(made, '-data', 'data')).toContain('Verification: OK');
    });
  });

  test('the certificate that an instance makes for its authority', async () => {
    const made = testChain();
    const creation = {
      random: (length: number) => new Uint8Array(randomBytes(length)),
      sha256,
      now: systemClock.now(),
    };
    const [rootSigner, signer] = [makeEcdsaKey(), makeEcdsaKey()].map(nativeSigner);
    if (rootSigner === undefined || signer === undefined) expect.fail();
    const root = await createRoot({ organization: 'Mayfly', commonName: 'root' }, rootSigner, creation);
    const certificate = await createTimestampCertificate(
      { organization: 'Mayfly', commonName: 'timestamps' },
      signer.publicKey,
      { certificate: root, signer: rootSigner },
      creation,
    );
    writeFileSync(join(made.directory, 'root.crt'), encodePem('CERTIFICATE', root));
    await exchange({ ...made, signer, chain: [certificate, root] }, '-sha256', '-cert');
    expect(verify(made, '-queryfile', 'request.tsq')).toContain('Verification: OK');
  });

  test('certificates come only when asked for', async () => {
    const made = testChain();
    await exchange(made, '-sha256', '-no_nonce');
    expect(() => verify(made, '-queryfile', 'request.tsq')).toThrow(/signer certificate not found/);
    expect(verify(made, '-queryfile', 'request.tsq', '-untrusted', 'tsa.crt')).toContain('Verification: OK');
  });

  test('a reply carries the certificates between authority and root', async () => {
    const made = testChain({ intermediate: true });
    await exchange(made, '-sha256', '-cert');
    expect(verify(made, '-queryfile', 'request.tsq')).toContain('Verification: OK');
  });

  test('other data, and another root of the same name, do not verify', async () => {
    const made = testChain();
    await exchange(made, '-sha256', '-cert');
    writeFileSync(join(made.directory, 'data'), 'something else');
    expect(() => verify(made, '-data', 'data')).toThrow(/message imprint mismatch/);
    const other = testChain();
    writeFileSync(join(made.directory, 'root.crt'), readFileSync(join(other.directory, 'root.crt')));
    expect(() => verify(made, '-queryfile', 'request.tsq')).toThrow(/certificate verify error/);
  });

  test('the fields, as OpenSSL prints them', async () => {
    const made = testChain();
    await exchange(made, '-sha512', '-cert', '-tspolicy', '1.3.6.1.4.1.57264.2');
    const text = made.openssl('ts', '-reply', '-in', 'reply.tsr', '-text');
    expect(text).toContain('Status: Granted.');
    expect(text).toContain('Policy OID: 1.3.6.1.4.1.57264.2');
    expect(text).toContain('Hash Algorithm: sha512');
    expect(text).toMatch(/Serial number: 0x[4-7][0-9A-F]{39}\n/);
    expect(text).toMatch(/Time stamp: \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT/);
    expect(text).toContain('Accuracy: 0x01 seconds, unspecified millis, unspecified micros');
    expect(text).toContain('Ordering: no');
    const nonce = /Nonce: (0x[0-9A-F]+)/.exec(
      made.openssl('ts', '-query', '-in', 'request.tsq', '-text'),
    )?.[1];
    expect(text).toContain(`Nonce: ${nonce}`);
  });

  test.each([
    { args: ['-sha1'], reason: 'unrecognized or unsupported algorithm identifier' },
    { args: ['-sha3-256'], reason: 'unrecognized or unsupported algorithm identifier' },
    {
      args: ['-sha256', '-tspolicy', '1.2.3.4'],
      reason: 'the requested TSA policy is not supported by the TSA',
    },
  ])('$args is rejected: $reason', async ({ args, reason }) => {
    const made = testChain();
    await exchange(made, ...args);
    const text = made.openssl('ts', '-reply', '-in', 'reply.tsr', '-text');
    expect(text).toContain('Status: Rejected.');
    expect(text).toContain(`Failure info: ${reason}`);
    expect(text).toContain('TST info:\nNot included.');
  });
});
