import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { AuthorityError } from '../../../src/certificate/authority-error.ts';
import { readCaCertificate } from '../../../src/certificate/ca-reader.ts';
import { checkChain, readChain } from '../../../src/certificate/chain.ts';
import { type Instant, instantOf } from '../../../src/clock.ts';
import { type Bytes, hex } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';
import { encodePem } from '../../../src/encoding/pem.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';
import { webCryptoVerifier } from '../../../src/web/webcrypto-verifier.ts';
import { keyPair } from '../../vectors/key-pairs.ts';
import {
  ANY_PURPOSE,
  CERT_SIGN,
  CODE_SIGNING,
  CRL_SIGN,
  ecKey,
  extension,
  ISSUING,
  make,
  makePair,
  NOW,
  nameOf,
  SERVER_AUTH,
} from './made-chain.ts';

/** The code of the refusal, or 'accepted'. */
async function verdict(chain: readonly Bytes[], now: Instant = NOW): Promise<string> {
  try {
    await checkChain(chain.map(readCaCertificate), now, nativeVerifier);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error;
    return error.code;
  }
}

/** Three certificates, with `shape` laid over the one in the middle. */
function makeThree(middle: Parameters<typeof make>[0] = {}, issuing = ISSUING, root = {}): Bytes[] {
  const top = make({ pathLength: 2, ...root });
  const between = make({ subject: 'middle', pathLength: 1, ...middle }, top);
  return [make({ pathLength: 0, ...issuing }, between).der, between.der, top.der];
}

describe('accepted', () => {
  test.each([
    ['issuing CA and root', makePair().chain],
    ['a root that issues by itself, without extended key usage', [make().der]],
    ['three certificates', makeThree()],
    ['a self-issued CA does not count in a path', selfIssued()],
    ['anyExtendedKeyUsage above', makePair({}, { purposes: [ANY_PURPOSE] }).chain],
    ['codeSigning beside others', makePair({ purposes: [SERVER_AUTH, CODE_SIGNING] }).chain],
    ['an anchor that another has issued', makePair({}, { issuer: 'elsewhere' }).chain],
    [
      'an unknown extension that is not critical',
      makePair({ extra: [extension('1.2.3.4', false, der.sequence())] }).chain,
    ],
    ['a certificate of the second it expires', makePair({ notAfter: NOW }).chain],
    ['a certificate of the second it begins', makePair({ notBefore: NOW }).chain],
    ['P-521 under Ed25519', makePair({ key: ecKey('P-521') }, { key: keyPair('Ed25519').privateKey }).chain],
    ['P-384 with SHA-384', makePair({ hash: 'sha384' }, { key: ecKey('P-384'), hash: 'sha384' }).chain],
    ['RSA with SHA-512', makePair({ hash: 'sha512' }, { key: keyPair('RSA-2048').privateKey }).chain],
  ])('%s', async (_, chain) => {
    expect(await verdict(chain)).toBe('accepted');
    await checkChain(chain.map(readCaCertificate), NOW, webCryptoVerifier);
  });

  function selfIssued(): Bytes[] {
    const root = make({ pathLength: 1 });
    const again = make({ subject: 'root', pathLength: 1 }, root); // a new key under the old one
    return [make({ ...ISSUING, pathLength: 0 }, again).der, again.der, root.der];
  }
});

describe('refused', () => {
  const { chain, issuing, root } = makePair();
  const foreign = make();
  const critical = extension('1.2.3.4', true, der.sequence());
  const rsaWithSha256 = der.sequence(
    der.objectIdentifier('1.2.840.113549.1.1.11'),
    der.element(der.TAG.null),
  );
  test.each([
    ['root first', 'chain_order', chain.toReversed()],
    ['a certificate left out', 'chain_order', makeThree().filter((_, i) => i !== 1)],
    ['a root of another name', 'chain_order', [issuing.der, make({ subject: 'other' }).der]],
    ['a certificate twice', 'certificate_repeated', [issuing.der, root.der, root.der]],
    ['a foreign root of the same name', 'link_broken', [issuing.der, foreign.der]],
    ['a signature with a flipped bit', 'link_broken', [flipLast(issuing.der), root.der]],
    ['a root whose own signature is broken', 'link_broken', [issuing.der, flipLast(root.der)]],
    ['an expired root', 'certificate_expired', makePair({}, { notAfter: NOW - 1000 }).chain],
    ['an expired issuing CA', 'certificate_expired', makePair({ notAfter: NOW - 1000 }).chain],
    ['a root of tomorrow', 'certificate_not_yet_valid', makePair({}, { notBefore: NOW + 1000 }).chain],
    ['pathLenConstraint 0 on the root', 'path_too_long', makePair({}, { pathLength: 0 }).chain],
    ['pathLenConstraint 1 on the root of three', 'path_too_long', makeThree({}, ISSUING, { pathLength: 1 })],
    ['pathLenConstraint 0 in the middle', 'path_too_long', makeThree({ pathLength: 0 })],
    ['no extended key usage on the issuing CA', 'purpose_missing', [make({}, root).der, root.der]],
    ['another purpose on the issuing CA', 'purpose_missing', makePair({ purposes: [SERVER_AUTH] }).chain],
    ['any purpose alone on the issuing CA', 'purpose_missing', makePair({ purposes: [ANY_PURPOSE] }).chain],
    ['another purpose in the middle', 'purpose_excluded', makeThree({ purposes: [SERVER_AUTH] })],
    ['another purpose on the root', 'purpose_excluded', makePair({}, { purposes: [SERVER_AUTH] }).chain],
    ['another purpose on a lone root', 'purpose_excluded', [make({ purposes: [SERVER_AUTH] }).der]],
    ['a leaf as the issuing CA', 'not_a_ca', makePair({ ca: false }).chain],
    ['no basicConstraints', 'not_a_ca', makePair({ ca: undefined }).chain],
    ['a root that is no CA', 'not_a_ca', makePair({}, { ca: undefined }).chain],
    ['no keyUsage', 'key_usage_missing', makePair({ usage: undefined }).chain],
    ['keyUsage without keyCertSign', 'key_usage_missing', makePair({ usage: CRL_SIGN }).chain],
    ['a root without keyCertSign', 'key_usage_missing', makePair({}, { usage: CRL_SIGN }).chain],
    ['a critical extension nobody knows', 'extension_unrecognized', makePair({ extra: [critical] }).chain],
    ['an empty subject', 'subject_empty', makePair({ subject: '' }).chain],
    ['an ECDSA signature that calls itself RSA', 'link_broken', makePair({ algorithm: rsaWithSha256 }).chain],
    ['ECDSA with SHA-1', 'algorithm_unsupported', makePair({ hash: 'sha1' }).chain],
    [
      'a root key on a curve nobody takes',
      'algorithm_unsupported',
      makePair({}, { key: ecKey('secp256k1') }).chain,
    ],
  ])('%s: %s', async (_, code, refused) => {
    expect(await verdict(refused)).toBe(code);
  });

  test('the sentence names the certificate and what would do', async () => {
    const error = await checkChain(chain.toReversed().map(readCaCertificate), NOW, nativeVerifier).catch(
      String,
    );
    expect(error).toBe(
      'AuthorityError: certificate 1 of 2 (O=Test, CN=root) was not issued by the one after it (O=Test, CN=intermediate): put the issuing CA first and the root last',
    );
  });

  test('dates are judged at the instant given', async () => {
    const { notBefore, notAfter } = readCaCertificate(root.der);
    expect(await verdict([root.der], instantOf(notBefore - 1))).toBe('certificate_not_yet_valid');
    expect(await verdict([root.der], notBefore)).toBe('accepted');
    expect(await verdict([root.der], notAfter)).toBe('accepted');
    expect(await verdict([root.der], instantOf(notAfter + 1))).toBe('certificate_expired');
  });

  function flipLast(bytes: Bytes): Bytes {
    const out = bytes.slice();
    out[out.length - 1] = (out[out.length - 1] ?? 0) ^ 1;
    return out;
  }
});

describe('reading a CA certificate', () => {
  test('agrees with node:crypto, and names come byte for byte', () => {
    const { issuing, root } = makePair({ keyIdentifier: Uint8Array.of(1, 2, 3, 4) });
    const read = readCaCertificate(issuing.der);
    const other = new X509Certificate(issuing.der);
    expect(read.subject).toEqual(nameOf('intermediate'));
    expect(read.issuer).toEqual(nameOf('root'));
    expect(read.spki).toEqual(new Uint8Array(other.publicKey.export({ format: 'der', type: 'spki' })));
    expect(read.notBefore).toBe(other.validFromDate.getTime());
    expect(read.notAfter).toBe(other.validToDate.getTime());
    expect(read.isCa).toBe(other.ca);
    expect(read.purposes).toEqual(other.keyUsage); // Node's name for the extended one
    expect(hex(read.keyIdentifier ?? new Uint8Array())).toBe('01020304');
    expect(read.pathLength).toBe(0);
    expect(readCaCertificate(root.der).keyIdentifier).toBeUndefined();
    expect(readCaCertificate(make().der).pathLength).toBeUndefined();
  });

  const sound = makePair().issuing.der;
  test.each([
    ['nothing', new Uint8Array()],
    ['an empty SEQUENCE', der.sequence()],
    ['trailing bytes', Uint8Array.of(...sound, 0)],
    ['a cut', sound.subarray(0, sound.length - 1)],
    ['an extension twice', make({ extra: [extension('2.5.29.19', true, der.sequence())] }).der],
    ['two different algorithms', make({ innerHash: 'sha384' }).der],
    [
      'basicConstraints of another shape',
      make({ ca: undefined, extra: [extension('2.5.29.19', true, der.octetString(sound))] }).der,
    ],
  ])('%s is malformed', (_, bytes) => {
    expect(() => readCaCertificate(new Uint8Array(bytes))).toThrow(
      expect.objectContaining({ name: 'AuthorityError', code: 'certificate_malformed' }),
    );
  });

  test('every single byte changed is refused, or read without a crash', () => {
    for (let i = 0; i < sound.length; i++) {
      const bytes = sound.slice();
      bytes[i] = (bytes[i] ?? 0) ^ 0xff;
      try {
        readCaCertificate(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(AuthorityError);
      }
    }
  });
});

describe('PEM', () => {
  const { chain } = makePair({ usage: CERT_SIGN });
  const pem = chain.map((bytes) => encodePem('CERTIFICATE', bytes)).join('');

  test('keeps the order, and skips what surrounds the blocks', () => {
    expect(readChain(`Bag attributes\r\n${pem.replaceAll('\n', '\r\n')}trailer`)).toEqual(chain);
    expect(readChain(encodePem('PUBLIC KEY', Uint8Array.of(1)) + pem)).toEqual(chain);
  });

  test('a damaged block is an error and not a shorter chain', () => {
    const malformed = expect.objectContaining({ code: 'certificate_malformed' });
    expect(() => readChain(pem.slice(0, -40))).toThrow(malformed);
    expect(() => readChain(pem.replace('MII', '!!!'))).toThrow(malformed);
  });

  test('no certificate', () => {
    expect(() => readChain('')).toThrow(expect.objectContaining({ code: 'chain_empty' }));
    const key = encodePem('PRIVATE KEY', Uint8Array.of(1));
    expect(() => readChain(key)).toThrow(expect.objectContaining({ code: 'chain_empty' }));
  });
});
