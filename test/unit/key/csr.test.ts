import { describe, expect, test } from 'vitest';
import { type Bytes, utf8 } from '../../../src/encoding/bytes.ts';
import {
  bitString,
  contextTag,
  element,
  objectIdentifier,
  sequence,
  TAG,
  unsignedInteger,
} from '../../../src/encoding/der.ts';
import { encodePem } from '../../../src/encoding/pem.ts';
import { ALGORITHM_NAMES, AlgorithmAllowList } from '../../../src/key/algorithm.ts';
import { parseSigningRequest } from '../../../src/key/csr.ts';
import { toP1363 } from '../../../src/key/ecdsa-signature.ts';
import { verifyPossession } from '../../../src/key/possession.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';
import * as oid from '../../../src/oid.ts';
import { type Kind, signWith, spkiOf } from '../../vectors/key-pairs.ts';
import { problemOf } from '../../vectors/key-problem.ts';

const UNPARSEABLE = ['csr_invalid', 'The certificate signing request could not be parsed'];
const UNPROVEN = ['possession_unproven', 'The signature supplied in the request could not be verified'];

const VERSION = unsignedInteger(Uint8Array.of(0));
const ATTRIBUTES = element(contextTag(0));
const NULL = element(TAG.null);
const infoOf = (...fields: Uint8Array[]): Bytes => sequence(...fields);
const algorithm = (name: string, ...parameters: Uint8Array[]): Bytes =>
  sequence(objectIdentifier(name), ...parameters);

const INFO = infoOf(VERSION, sequence(), spkiOf('Ed25519'), ATTRIBUTES);
const SIGNATURE = bitString(signWith('Ed25519', undefined, INFO));
const REQUEST = sequence(INFO, algorithm(oid.ed25519), SIGNATURE);

const pem = (der: Uint8Array, label = 'CERTIFICATE REQUEST'): Bytes => utf8(encodePem(label, der));
const everything = AlgorithmAllowList.parse(ALGORITHM_NAMES);
const outcome = (content: Uint8Array) =>
  problemOf(() =>
    verifyPossession({ kind: 'csr', request: parseSigningRequest(content) }, '', nativeVerifier, everything),
  );

describe('the PEM block', () => {
  test.each(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'])('may be labelled %s', async (label) => {
    expect(await outcome(pem(REQUEST, label))).toBeUndefined();
  });

  test.each(['CERTIFICATE', 'PUBLIC KEY', 'CERTIFICATE SIGNING REQUEST', 'X509 CERTIFICATE REQUEST'])(
    'may not be labelled %s',
    async (label) => {
      expect(await outcome(pem(REQUEST, label))).toEqual(UNPARSEABLE);
    },
  );

  test('is the first one, with any text around', async () => {
    const good = encodePem('CERTIFICATE REQUEST', REQUEST);
    expect(await outcome(utf8(`Subject: évil\n${good}\nmore`))).toBeUndefined();
    expect(
      await outcome(Buffer.concat([Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from(good)])),
    ).toBeUndefined();
    expect(await outcome(utf8(encodePem('CERTIFICATE', REQUEST) + good))).toEqual(UNPARSEABLE);
  });

  test('is needed: neither DER nor prose will do', async () => {
    for (const content of [
      REQUEST,
      utf8('csr'),
      new Uint8Array(),
      utf8(encodePem('CERTIFICATE REQUEST', new Uint8Array())),
    ])
      expect(await outcome(content)).toEqual(UNPARSEABLE);
  });
});

test('key, signed bytes and signature are those that were sent', () => {
  expect(parseSigningRequest(pem(REQUEST))).toMatchObject({
    publicKey: { type: 'ed25519', spki: spkiOf('Ed25519') },
    info: INFO,
    signatureAlgorithm: { algorithm: oid.ed25519, parameters: undefined },
    signature: signWith('Ed25519', undefined, INFO),
  });
});

describe('the structure', () => {
  const key = spkiOf('Ed25519');
  const badKey = key.subarray(0, -1);

  test.each([
    ['no signature', sequence(INFO, algorithm(oid.ed25519))],
    ['a fourth field', sequence(INFO, algorithm(oid.ed25519), SIGNATURE, NULL)],
    [
      'a signature that is no BIT STRING',
      sequence(INFO, algorithm(oid.ed25519), element(TAG.octetString, SIGNATURE)),
    ],
    [
      'unused bits in the signature',
      sequence(INFO, algorithm(oid.ed25519), element(TAG.bitString, Uint8Array.of(4, 16))),
    ],
    ['an algorithm without identifier', sequence(INFO, sequence(NULL), SIGNATURE)],
    ['an algorithm with three fields', sequence(INFO, algorithm(oid.ed25519, NULL, NULL), SIGNATURE)],
    ['trailing bytes', Buffer.concat([REQUEST, Uint8Array.of(0)])],
    ['no version', sequence(infoOf(sequence(), key, ATTRIBUTES), algorithm(oid.ed25519), SIGNATURE)],
    ['no attributes', sequence(infoOf(VERSION, sequence(), key), algorithm(oid.ed25519), SIGNATURE)],
    [
      'a fifth field of info',
      sequence(infoOf(VERSION, sequence(), key, ATTRIBUTES, NULL), algorithm(oid.ed25519), SIGNATURE),
    ],
    [
      'a broken key',
      sequence(infoOf(VERSION, sequence(), badKey, ATTRIBUTES), algorithm(oid.ed25519), SIGNATURE),
    ],
    ['info that is no SEQUENCE', sequence(element(TAG.set, INFO), algorithm(oid.ed25519), SIGNATURE)],
  ])('%s could not be parsed', async (_, der) => {
    expect(await outcome(pem(der))).toEqual(UNPARSEABLE);
  });
});

describe('the signature', () => {
  const signed = (
    kind: Kind,
    hash: 'SHA-256' | undefined,
    identifier: Uint8Array,
    change?: (s: Uint8Array) => Uint8Array,
  ) => {
    const info = infoOf(VERSION, sequence(), spkiOf(kind), ATTRIBUTES);
    const signature = signWith(kind, hash, info);
    return pem(sequence(info, identifier, bitString(change?.(signature) ?? signature)));
  };

  test('has to be by the key of the request and over the request', async () => {
    expect(await outcome(signed('P-256', 'SHA-256', algorithm(oid.ecdsaWithSha256)))).toBeUndefined();
    const stolen = infoOf(VERSION, sequence(), spkiOf('P-256'), ATTRIBUTES);
    expect(await outcome(pem(sequence(stolen, algorithm(oid.ed25519), SIGNATURE)))).toEqual(UNPROVEN);
    const otherSubject = infoOf(VERSION, sequence(sequence()), spkiOf('Ed25519'), ATTRIBUTES);
    expect(await outcome(pem(sequence(otherSubject, algorithm(oid.ed25519), SIGNATURE)))).toEqual(UNPROVEN);
  });

  test.each([
    ['empty', () => new Uint8Array()],
    ['longer', (s: Uint8Array) => Buffer.concat([s, Uint8Array.of(0)])],
    ['damaged', (s: Uint8Array) => s.with(-1, (s.at(-1) ?? 0) ^ 1)],
  ])('%s proves nothing', async (_, change) => {
    for (const [kind, hash, name] of [
      ['P-256', 'SHA-256', oid.ecdsaWithSha256],
      ['RSA-2048', 'SHA-256', oid.sha256WithRsa],
      ['Ed25519', undefined, oid.ed25519],
    ] as const)
      expect(await outcome(signed(kind, hash, algorithm(name), change))).toEqual(UNPROVEN);
  });

  test('as r || s is not taken in a request', async () => {
    const toRaw = (der: Uint8Array): Uint8Array => toP1363(der, 32) ?? der;
    expect(await outcome(signed('P-256', 'SHA-256', algorithm(oid.ecdsaWithSha256), toRaw))).toEqual(
      UNPROVEN,
    );
  });

  test.each([
    ['P-256', 'SHA-256', algorithm(oid.sha256WithRsa, NULL)],
    ['P-256', 'SHA-256', algorithm(oid.ed25519)],
    ['P-256', 'SHA-256', algorithm(oid.ecdsaWithSha384)],
    ['P-256', 'SHA-256', algorithm(oid.sha1WithRsa, NULL)],
    ['RSA-2048', 'SHA-256', algorithm(oid.ecdsaWithSha256)],
    ['RSA-2048', 'SHA-256', algorithm(oid.ecdsaWithSha1)],
    ['RSA-2048', 'SHA-256', algorithm(oid.rsaPss)],
    ['RSA-2048', 'SHA-256', algorithm(oid.rsaPss, NULL)],
    ['RSA-2048', 'SHA-256', algorithm(oid.rsaPss, sequence())],
    ['Ed25519', undefined, algorithm(oid.sha256WithRsa)],
    ['Ed25519', undefined, algorithm(oid.ed25519, NULL)],
    ['Ed25519', undefined, algorithm('1.2.3.4')],
  ] as const)(
    'of %s with %s under an algorithm of something else proves nothing',
    async (kind, hash, identifier) => {
      expect(await outcome(signed(kind, hash, identifier))).toEqual(UNPROVEN);
    },
  );
});
