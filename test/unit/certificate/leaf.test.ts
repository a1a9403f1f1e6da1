import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readLeaf } from '../../../src/certificate/leaf.ts';
import { describeLeaf, printable } from '../../../src/certificate/plain-words.ts';
import { hex } from '../../../src/encoding/bytes.ts';
import { DerError } from '../../../src/encoding/der.ts';
import { readCertificate } from '../../fakes/certificate.ts';
import leaves from '../../vectors/reference-leaves.json' with { type: 'json' };

const bytesOf = (pem: string | undefined): Uint8Array => new Uint8Array(new X509Certificate(pem ?? '').raw);

describe("Fulcio's leaves are read as PKIjs reads them", () => {
  test.each(leaves)('$id', ({ certificates }) => {
    const bytes = bytesOf(certificates[0]);
    const leaf = readLeaf(bytes);
    const theirs = readCertificate(bytes);
    expect(hex(leaf.serial)).toBe(theirs.serial);
    expect(leaf.notBefore).toBe(theirs.notBefore);
    expect(leaf.notAfter).toBe(theirs.notAfter);
    expect(hex(leaf.spki)).toBe(theirs.spki);
    expect(leaf.san).toEqual(theirs.names[0]);
    expect(Object.fromEntries(leaf.attributes)).toEqual(theirs.attributes);
  });

  test('with the SCT of the log that it was given to', () => {
    const one = leaves.find(({ id }) => id === 'ct-embedded-sct');
    const { scts, precertTbs } = readLeaf(bytesOf(one?.certificates[0]));
    expect(scts).toHaveLength(1);
    expect(scts[0]?.logId).toHaveLength(32);
    expect(scts[0]?.timestamp).toBeGreaterThan(1.7e12);
    expect([...(scts[0]?.signature.subarray(0, 2) ?? [])]).toEqual([4, 3]);
    expect(Buffer.from(precertTbs).includes(Buffer.from('2b06010401d679020402', 'hex'))).toBe(false);
  });
});

describe('what is no leaf', () => {
  const good = bytesOf(leaves[0]?.certificates[0]);

  test.each([
    ['nothing', new Uint8Array()],
    ['an empty SEQUENCE', Uint8Array.of(0x30, 0)],
    ['a SEQUENCE in a SEQUENCE', Uint8Array.of(0x30, 2, 0x30, 0)],
    ['text', new TextEncoder().encode('-----BEGIN CERTIFICATE-----')],
  ])('%s', (_, bytes) => {
    expect(() => readLeaf(bytes)).toThrow(DerError);
  });

  test('a leaf cut anywhere, and never is the reader lost', () => {
    for (let length = 0; length < good.length; length++)
      expect(() => readLeaf(good.subarray(0, length))).toThrow(DerError);
  });

  test('a leaf with any byte changed is read or refused', () => {
    for (let at = 0; at < good.length; at++) {
      for (const bit of [1, 0x80]) {
        const changed = good.slice();
        changed[at] = (changed[at] ?? 0) ^ bit;
        try {
          readLeaf(changed);
        } catch (error) {
          if (!(error instanceof DerError || error instanceof RangeError || error instanceof TypeError))
            throw error;
        }
      }
    }
  });
});

describe('in plain words', () => {
  test('the name comes first, then who vouched, and for how long', () => {
    const github = leaves.find(({ id }) => id === 'ci-github-with-environment');
    const lines = describeLeaf(readLeaf(bytesOf(github?.certificates[0])));
    expect(lines[0]).toBe('https://github.com/acme/shared/.github/workflows/rel.yml@refs/tags/v2');
    expect(lines[1]).toContain('with a token from http://127.0.0.1:45667/i14');
    expect(lines[2]).toContain('for 10 minutes');
    expect(lines.join('\n')).toMatch(/Source Repository URI +https:\/\/github\.com\/acme\/site/);
    expect(lines.join('\n')).toMatch(/Deployment Environment +prod/);
  });

  test('text from claims cannot steer a terminal or a reader', () => {
    expect(printable('a\u001b[2Jb\nc\u202ed\u2028')).toBe('a\\u{1b}[2Jb\\u{a}c\\u{202e}d\\u{2028}');
    expect(printable('é☃𝄞 plain')).toBe('é☃𝄞 plain');
  });
});
