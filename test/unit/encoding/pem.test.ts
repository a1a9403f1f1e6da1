import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodePem, encodePem } from '../../../src/encoding/pem.ts';
import { describeWith } from '../../fakes/skip.ts';

describeWith('openssl', 'PEM', () => {
  test.each([1, 47, 48, 49, 96, 500])('OpenSSL reads a block of %i bytes as it was written', (n) => {
    const der = Uint8Array.from([0x04, 0x82, n >> 8, n & 255, ...new Array<number>(n).fill(9)]);
    const pem = encodePem('TEST', der);
    const out = join(mkdtempSync(join(tmpdir(), 'pem-')), 'out.der');
    execFileSync('openssl', ['asn1parse', '-inform', 'PEM', '-noout', '-out', out], { input: pem });
    expect(readFileSync(out)).toEqual(Buffer.from(der));
    expect(decodePem(pem)).toEqual([{ label: 'TEST', der }]);
  });
});

test('several blocks among other text, with broken ones skipped', () => {
  const one = encodePem('A B', Uint8Array.of(1));
  const text = `hello\n${one}middle\r\n${one.replaceAll('\n', '\r\n')}-----BEGIN X-----\na\n-----END X-----\n-----BEGIN Y-----\nAQ==\n-----END Z-----`;
  expect(decodePem(text).map((b) => b.label)).toEqual(['A B', 'A B']);
});
