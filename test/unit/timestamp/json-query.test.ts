// The JSON form of a query, to the last bit of its nonce.

import { describe, expect, test } from 'vitest';
import { base64, hex } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';
import * as oid from '../../../src/oid.ts';
import { parseJsonQuery } from '../../../src/timestamp/json-query.ts';

const digest = new Uint8Array(32).fill(7);
const artifactHash = base64(digest);
const least = { artifactHash, hashAlgorithm: 'sha256' };
const text = (more: object): string => JSON.stringify({ ...least, ...more });

describe('a query in JSON', () => {
  test('with the least', () => {
    const imprint = der.sequence(der.sequence(der.objectIdentifier(oid.sha256)), der.octetString(digest));
    expect(parseJsonQuery(JSON.stringify(least))).toEqual({ imprint, certificates: false });
  });

  test('as sigstore-js sends it, and with a policy', () => {
    const query = parseJsonQuery(
      text({ hashAlgorithm: 'SHA256', certificates: true, tsaPolicyOID: '1.2.3.4' }),
    );
    expect(query).toMatchObject({ certificates: true, policy: der.objectIdentifier('1.2.3.4') });
  });

  test.each([
    ['0', '020100'],
    ['-1', '0201ff'],
    ['127', '02017f'],
    ['128', '02020080'],
    ['-128', '020180'],
    ['-129', '0202ff7f'],
    ['255', '020200ff'],
    ['18446744073709551615', '020900ffffffffffffffff'],
    ['-9223372036854775809', '0209ff7fffffffffffffff'],
  ])('nonce %s keeps every bit', (nonce, expected) => {
    const query = parseJsonQuery(
      `{"artifactHash":"${artifactHash}","hashAlgorithm":"sha256","nonce":${nonce}}`,
    );
    expect(hex(query.nonce ?? new Uint8Array())).toBe(expected);
  });

  test('null and an empty policy are nothing', () => {
    const query = parseJsonQuery(text({ nonce: null, certificates: null, tsaPolicyOID: '' }));
    expect(Object.keys(query)).toEqual(['imprint', 'certificates']);
  });
});

test.each([
  ['', undefined],
  ['{', undefined],
  ['[]', undefined],
  ['null', undefined],
  ['7', undefined],
  ['{}', 'artifactHash'],
  [text({ artifactHash: 7 }), 'artifactHash'],
  [text({ artifactHash: '*' }), 'artifactHash'],
  [text({ hashAlgorithm: null }), 'hashAlgorithm'],
  [text({ certificates: 'true' }), 'certificates'],
  [text({ nonce: 1.5 }), 'nonce'],
  [text({ nonce: '1' }), 'nonce'],
  [text({ nonce: {} }), 'nonce'],
  [`{"__proto__":{"artifactHash":"${artifactHash}"},"hashAlgorithm":"sha256"}`, 'artifactHash'],
  [text({ tsaPolicyOID: 7 }), 'tsaPolicyOID'],
])('%s is malformed in %s', (given, field) => {
  expect(() => parseJsonQuery(given)).toThrow(
    expect.objectContaining({ name: 'Problem', code: 'request_malformed', field }),
  );
});

test.each([
  [{ hashAlgorithm: 'sha1', artifactHash: base64(new Uint8Array(20)) }, 'badAlg'],
  [{ hashAlgorithm: 'md5' }, 'badAlg'],
  [{ hashAlgorithm: 'sha512' }, 'badDataFormat'],
  // 0.43 and 1.3 would be the same byte
  [{ tsaPolicyOID: '0.43.6.1.4.1.57264.2' }, 'unacceptedPolicy'],
  [{ tsaPolicyOID: '1.2.03' }, 'unacceptedPolicy'],
  [{ tsaPolicyOID: `1.2${'.1'.repeat(200)}` }, 'unacceptedPolicy'],
])('%o is rejected as %s', (more, failure) => {
  expect(() => parseJsonQuery(text(more))).toThrow(
    expect.objectContaining({ name: 'TimestampRejection', failure }),
  );
});
