import { X509Certificate } from 'node:crypto';
import { Crypto } from '@peculiar/webcrypto';
import {
  Certificate,
  CertificateChainValidationEngine,
  CryptoEngine,
  type ICryptoEngine,
  setEngine,
} from 'pkijs';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  BACKDATE_SECONDS,
  type CaName,
  type Creation,
  createIntermediate,
  createRoot,
  createTimestampCertificate,
} from '../../../src/certificate/ca-certificate.ts';
import { readCaCertificate } from '../../../src/certificate/ca-reader.ts';
import { checkChain } from '../../../src/certificate/chain.ts';
import { instantOf } from '../../../src/clock.ts';
import { type Bytes, hex } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { nativeRandom } from '../../../src/node/system/native-random.ts';
import { nativeSigner } from '../../../src/node/system/native-signer.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';
import { readTimestampChain } from '../../../src/timestamp/chain.ts';
import { keyPair } from '../../vectors/key-pairs.ts';
import { ecKey, NOW } from './made-chain.ts';

const ROOT: CaName = { organization: 'Example', commonName: 'Example root' };
const ISSUING: CaName = { organization: 'Example', commonName: 'Example intermediate' };
const creation: Creation = { now: NOW, sha256, random: nativeRandom };

async function makePair(rootKey = ecKey(), issuingKey = ecKey(), at: Creation = creation) {
  const signer = nativeSigner(rootKey);
  const root = await createRoot(ROOT, signer, at);
  const { publicKey } = nativeSigner(issuingKey);
  const issuing = await createIntermediate(ISSUING, publicKey, { certificate: root, signer }, at);
  return { root, issuing, signer };
}

/** Extensions as the certificate has them: identifier, critical, DER value in hexadecimal. */
function extensionsOf(bytes: Bytes): [string, boolean, string][] {
  return (Certificate.fromBER(bytes).extensions ?? []).map(({ extnID, critical, extnValue }) => [
    extnID,
    critical,
    hex(extnValue.valueBlock.valueHexView),
  ]);
}

const keyIdOf = (bytes: Bytes): string => hex(readCaCertificate(bytes).keyIdentifier ?? new Uint8Array());

describe('root and intermediate', () => {
  let root: Bytes;
  let issuing: Bytes;
  beforeAll(async () => {
    ({ root, issuing } = await makePair());
  });

  test('the root has exactly the extensions of its profile', () => {
    expect(extensionsOf(root)).toEqual([
      ['2.5.29.19', true, '30060101ff020101'], // cA TRUE, pathLenConstraint 1
      ['2.5.29.15', true, '03020106'], // keyCertSign, cRLSign
      ['2.5.29.14', false, `0414${keyIdOf(root)}`],
    ]);
  });

  test('the intermediate has exactly the extensions of its profile', () => {
    expect(extensionsOf(issuing)).toEqual([
      ['2.5.29.19', true, '30060101ff020100'], // cA TRUE, pathLenConstraint 0
      ['2.5.29.15', true, '03020106'],
      ['2.5.29.37', false, '300a06082b06010505070303'], // codeSigning
      ['2.5.29.14', false, `0414${keyIdOf(issuing)}`],
      ['2.5.29.35', false, `30168014${keyIdOf(root)}`],
    ]);
  });

  test('node:crypto sees CAs, names and the chain between them', () => {
    const [above, below] = [new X509Certificate(root), new X509Certificate(issuing)];
    expect([above.ca, below.ca]).toEqual([true, true]);
    expect(above.subject).toBe('O=Example\nCN=Example root');
    expect(below.subject).toBe('O=Example\nCN=Example intermediate');
    expect(below.issuer).toBe(above.subject);
    expect(below.checkIssued(above)).toBe(true);
    expect(below.verify(above.publicKey)).toBe(true);
    expect(above.verify(above.publicKey)).toBe(true);
  });

  test('every RDN of a name has one attribute', () => {
    for (const bytes of [root, issuing]) {
      for (const rdn of der.readAll(der.readOnly(readCaCertificate(bytes).subject, 0x30).content)) {
        expect(der.readAll(rdn.content)).toHaveLength(1);
      }
    }
  });

  test('lives of ten and three years, one hour back', () => {
    const [above, below] = [readCaCertificate(root), readCaCertificate(issuing)];
    expect(above.notBefore).toBe(NOW - BACKDATE_SECONDS * 1000);
    expect(below.notBefore).toBe(above.notBefore);
    expect(new Date(above.notAfter).toISOString()).toBe('2036-11-23T12:00:00.000Z');
    expect(new Date(below.notAfter).toISOString()).toBe('2029-11-24T12:00:00.000Z');
  });

  test('the key identifier is the left 160 bits of SHA-256 over the key bits', () => {
    const { spki, keyIdentifier } = readCaCertificate(root);
    const bits = der.readAll(der.readOnly(spki, 0x30).content)[1]?.content.subarray(1) ?? new Uint8Array();
    expect(keyIdentifier).toEqual(sha256(bits).slice(0, 20));
  });

  test('pkijs on @peculiar/webcrypto validates the path', async () => {
    const engine = new CryptoEngine({ name: 'peculiar', crypto: new Crypto() });
    setEngine('peculiar', engine as unknown as ICryptoEngine); // lib.dom has newer members than pkijs
    const path = (anchor: Bytes) =>
      new CertificateChainValidationEngine({
        trustedCerts: [Certificate.fromBER(anchor)],
        certs: [Certificate.fromBER(issuing)],
        checkDate: new Date(NOW),
      }).verify();
    expect((await path(root)).result).toBe(true);
    expect((await path((await makePair()).root)).result).toBe(false);
  });
});

describe('keys', () => {
  test.each([
    ['P-256', 'P-384'],
    ['P-384', 'P-256'],
    ['P-521', 'Ed25519'],
    ['Ed25519', 'P-256'],
    ['RSA-2048', 'P-256'],
  ] as const)('%s signs for %s', async (above, below) => {
    const { root, issuing } = await makePair(keyPair(above).privateKey, keyPair(below).privateKey);
    await checkChain([issuing, root].map(readCaCertificate), NOW, nativeVerifier);
    expect(new X509Certificate(issuing).verify(keyPair(above).publicKey)).toBe(true);
  });

  test('a signer that answers later signs as well, as one in a KMS does', async () => {
    const signer = nativeSigner(ecKey());
    const remote = { ...signer, sign: async (message: Uint8Array) => signer.sign(message) };
    const root = await createRoot(ROOT, remote, creation);
    await checkChain([readCaCertificate(root)], NOW, nativeVerifier);
  });
});

describe('serial numbers', () => {
  const serialOf = async (random: Creation['random']): Promise<string> =>
    new X509Certificate(await createRoot(ROOT, nativeSigner(ecKey()), { ...creation, random })).serialNumber;

  test('159 bits of the generator, as a positive INTEGER of at most 20 octets', async () => {
    expect(await serialOf((n) => new Uint8Array(n).fill(0xff))).toBe(`7F${'FF'.repeat(19)}`);
    expect(await serialOf((n) => new Uint8Array(n).fill(0x01))).toBe(`80${'80'.repeat(19)}`.slice(2));
  });

  test('never zero', async () => {
    let calls = 0;
    await serialOf((n) => new Uint8Array(n).fill(calls++));
    expect(calls).toBe(2);
  });
});

describe('dates', () => {
  test('an intermediate does not outlive its root', async () => {
    const { root, signer } = await makePair();
    const { notAfter } = readCaCertificate(root);
    const late: Creation = { ...creation, now: instantOf(notAfter - 86_400_000) };
    const parent = { certificate: root, signer };
    const issuing = await createIntermediate(ISSUING, nativeSigner(ecKey()).publicKey, parent, late);
    expect(readCaCertificate(issuing).notAfter).toBe(notAfter);
    const dead: Creation = { ...creation, now: instantOf(notAfter + 1) };
    await expect(createIntermediate(ISSUING, signer.publicKey, parent, dead)).rejects.toThrow(RangeError);
  });

  test('from 2050 on as GeneralizedTime', async () => {
    const now = instantOf(Date.UTC(2045, 5, 1, 0, 0, 0, 500));
    const { root, issuing } = await makePair(ecKey(), ecKey(), { ...creation, now });
    expect(readCaCertificate(root).notAfter).toBe(Date.UTC(2045, 5, 1) + 3652 * 86_400_000);
    expect(tagsOf(root)).toEqual([der.TAG.utcTime, der.TAG.generalizedTime]);
    expect(tagsOf(issuing)).toEqual([der.TAG.utcTime, der.TAG.utcTime]);
  });

  const tagsOf = (bytes: Bytes): number[] => {
    const [tbs] = der.readAll(der.readOnly(bytes, 0x30).content);
    return der.readAll(der.readAll(tbs?.content ?? bytes)[4]?.content ?? bytes).map(({ tag }) => tag);
  };
});

describe('names', () => {
  test.each(['Ünïcode 株式会社', 'x', 'x'.repeat(64)])('%s', async (commonName) => {
    const root = await createRoot({ ...ROOT, commonName }, nativeSigner(ecKey()), creation);
    expect(readCaCertificate(root).title).toBe(`O=Example, CN=${commonName}`);
  });

  test.each(['', 'x'.repeat(65)])('%j is refused', async (commonName) => {
    await expect(createRoot({ ...ROOT, commonName }, nativeSigner(ecKey()), creation)).rejects.toThrow(
      RangeError,
    );
  });
});

test('a timestamp certificate is an end entity for timeStamping alone', async () => {
  const { root, signer } = await makePair();
  const name = { organization: 'Example', commonName: 'Example timestamps' };
  const { publicKey } = nativeSigner(ecKey());
  const leaf = await createTimestampCertificate(name, publicKey, { certificate: root, signer }, creation);
  expect(extensionsOf(leaf)).toEqual([
    ['2.5.29.15', true, '03020780'], // digitalSignature
    ['2.5.29.37', true, '300a06082b06010505070308'], // timeStamping
    ['2.5.29.14', false, `0414${keyIdOf(leaf)}`],
    ['2.5.29.35', false, `30168014${keyIdOf(root)}`],
  ]);
  expect(new X509Certificate(leaf).verify(new X509Certificate(root).publicKey)).toBe(true);
  expect(readTimestampChain([leaf, root], publicKey).certificates).toHaveLength(2);
});
