// What a TimeStampReq may look like, and the failInfo of everything else.

import { describe, expect, test } from 'vitest';
import { concat } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';
import * as oid from '../../../src/oid.ts';
import { decodeQuery } from '../../../src/timestamp/query.ts';
import { type FailureInfo, TimestampRejection } from '../../../src/timestamp/rejection.ts';

const integer = (...content: number[]): Uint8Array => der.element(der.TAG.integer, Uint8Array.from(content));
const boolean = (value: number): Uint8Array => Uint8Array.of(der.TAG.boolean, 1, value);
const NULL = Uint8Array.of(5, 0);
const algorithm = (id: string, ...parameters: Uint8Array[]): Uint8Array =>
  der.sequence(der.objectIdentifier(id), ...parameters);
const imprint = (id: string, size: number, ...parameters: Uint8Array[]): Uint8Array =>
  der.sequence(algorithm(id, ...parameters), der.octetString(new Uint8Array(size).fill(7)));
const SHA1 = '1.3.14.3.2.26';

const version = integer(1);
const digest = imprint(oid.sha256, 32, NULL);
const policy = der.objectIdentifier('1.2.3.4');
const extensions = der.element(0xa0, der.sequence(policy, der.octetString(Uint8Array.of(1))));

describe('a TimeStampReq', () => {
  test('in full', () => {
    const nonce = integer(0x00, 0xff);
    const query = decodeQuery(der.sequence(version, digest, policy, nonce, boolean(0xff)));
    expect(query).toEqual({ imprint: digest, policy, nonce, certificates: true });
  });

  test('with the least', () => {
    expect(decodeQuery(der.sequence(version, digest))).toEqual({ imprint: digest, certificates: false });
  });

  test('with an explicit FALSE', () => {
    expect(decodeQuery(der.sequence(version, digest, boolean(0))).certificates).toBe(false);
  });

  test.each([
    ['sha256', imprint(oid.sha256, 32)],
    ['sha384', imprint(oid.sha384, 48)],
    ['sha512', imprint(oid.sha512, 64, NULL)],
  ])('over %s, parameters absent or NULL', (_name, given) => {
    expect(decodeQuery(der.sequence(version, given)).imprint).toEqual(given);
  });
});

const REFUSED: readonly (readonly [string, FailureInfo, Uint8Array])[] = [
  ['no bytes', 'badDataFormat', new Uint8Array()],
  ['no DER', 'badDataFormat', Uint8Array.of(0x30, 0x80, 0, 0)],
  ['bytes after it', 'badDataFormat', concat(der.sequence(version, digest), Uint8Array.of(0))],
  ['a SET', 'badDataFormat', der.set(version, digest)],
  ['nothing in it', 'badDataFormat', der.sequence()],
  ['no version', 'badDataFormat', der.sequence(digest)],
  ['version 2', 'badRequest', der.sequence(integer(2), digest)],
  ['version 257', 'badRequest', der.sequence(integer(1, 1), digest)],
  ['no imprint', 'badDataFormat', der.sequence(version)],
  ['an empty imprint', 'badDataFormat', der.sequence(version, der.sequence())],
  ['an imprint with more', 'badDataFormat', der.sequence(version, der.sequence(digest, policy, policy))],
  [
    'a hash without OID',
    'badDataFormat',
    der.sequence(version, der.sequence(der.sequence(), der.octetString(NULL))),
  ],
  ['SHA-1', 'badAlg', der.sequence(version, imprint(SHA1, 20, NULL))],
  ['parameters', 'badAlg', der.sequence(version, imprint(oid.sha256, 32, der.sequence()))],
  ['a short digest', 'badDataFormat', der.sequence(version, imprint(oid.sha256, 31))],
  ['a digest of another hash', 'badDataFormat', der.sequence(version, imprint(oid.sha256, 64))],
  ['an empty nonce', 'badDataFormat', der.sequence(version, digest, integer())],
  ['a padded nonce', 'badDataFormat', der.sequence(version, digest, integer(0, 1))],
  ['a padded negative nonce', 'badDataFormat', der.sequence(version, digest, integer(0xff, 0x80))],
  ['certReq of two bytes', 'badDataFormat', der.sequence(version, digest, Uint8Array.of(1, 2, 0xff, 0xff))],
  ['certReq of 1', 'badDataFormat', der.sequence(version, digest, boolean(1))],
  ['fields in another order', 'badDataFormat', der.sequence(version, digest, boolean(0xff), policy)],
  ['a field twice', 'badDataFormat', der.sequence(version, digest, policy, policy)],
  ['an extension', 'unacceptedExtension', der.sequence(version, digest, extensions)],
];

test.each(REFUSED)('%s is refused as %s', (_what, failure, request) => {
  const refusal = (): unknown => {
    try {
      return decodeQuery(request);
    } catch (error) {
      return error;
    }
  };
  const rejection = refusal();
  expect(rejection).toBeInstanceOf(TimestampRejection);
  expect(rejection).toMatchObject({ failure });
});
