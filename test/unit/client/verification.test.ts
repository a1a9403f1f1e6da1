// Verification: kinds of attestations, statements about something else, and bundles that are not well-formed.

import { type Bundle, bundleFromJSON, bundleToJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClientError } from '../../../src/client/client-error.ts';
import { IdentityPattern } from '../../../src/client/identity-pattern.ts';
import { RemoteInstance } from '../../../src/client/remote-instance.ts';
import { SigningSession } from '../../../src/client/session.ts';
import { isAbout, PREDICATE_TYPES, type Statement, statementAbout } from '../../../src/client/statement.ts';
import {
  type Expectation,
  readBundle,
  type Signer,
  verifySignature,
} from '../../../src/client/verification.ts';
import { startInstance, type TestInstance } from '../../../src/node/library.ts';

const ARTIFACT = Buffer.from('what is released');
const TYPE = 'https://example.com/predicate';
const EMAIL = 'dev@example.com';

let instance: TestInstance;
let session: SigningSession;
beforeAll(async () => {
  instance = await startInstance();
  session = await SigningSession.open(new RemoteInstance(instance.url), {
    given: await instance.token(),
    env: {},
    attended: false,
    tell: () => {},
  });
});
afterAll(() => instance.close());

function verify(bundle: Bundle, expectation: Partial<Expectation> = {}, artifact = ARTIFACT): Signer {
  const trustedRoot = TrustedRoot.fromJSON(instance.trustedRoot);
  return verifySignature(
    { bundle, artifact, trustedRoot },
    { identity: new IdentityPattern(EMAIL), issuer: instance.issuer, ...expectation },
  );
}

const attest = async (type: string): Promise<Bundle> =>
  (await session.signStatement(statementAbout({ name: 'artifact', data: ARTIFACT }, type, {}), ARTIFACT))
    .bundle;

const flaw = (code: string, words = /./): unknown =>
  expect.objectContaining({ name: 'ClientError', code, message: expect.stringMatching(words) });

describe('an attestation', () => {
  test.each(Object.values(PREDICATE_TYPES))('%s says where the file is from, and passes', async (type) => {
    verify(await attest(type));
  });

  test('of any other type passes for those only who ask for it', async () => {
    const bundle = await attest(TYPE);
    expect(() => verify(bundle)).toThrow(flaw('predicate_type_mismatch', /read what it says/));
    verify(bundle, { predicateType: TYPE });
    verify(bundle, { anyAttestation: true });
    expect(() => verify(bundle, { predicateType: PREDICATE_TYPES['slsa-provenance'] })).toThrow(
      flaw('predicate_type_mismatch', /is of type https:\/\/example\.com\/predicate, not/),
    );
  });

  test('is not what a plain signature is', async () => {
    const { bundle } = await session.signArtifact(ARTIFACT);
    for (const expectation of [{ predicateType: TYPE }, { anyAttestation: true }])
      expect(() => verify(bundle, expectation)).toThrow(flaw('predicate_type_mismatch', /plain signature/));
  });

  test('about something else fails', async () => {
    const bundle = await attest(PREDICATE_TYPES['slsa-provenance']);
    expect(() => verify(bundle, {}, Buffer.from('what is not'))).toThrow(
      flaw('artifact_mismatch', /about something else/),
    );
  });

  test('whose statement was changed fails before anybody reads it', async () => {
    const json = bundleToJSON(await attest(PREDICATE_TYPES['slsa-provenance']));
    const payload = Buffer.from(json.dsseEnvelope?.payload ?? '', 'base64').toString();
    const other = Buffer.from(payload.replace('"artifact"', '"brtifact"')).toString('base64');
    const changed = bundleFromJSON({ ...json, dsseEnvelope: { ...json.dsseEnvelope, payload: other } });
    expect(() => verify(changed)).toThrow(flaw('signature_invalid'));
  });
});

describe('a subject', () => {
  const about = (digest: Readonly<Record<string, string>>): boolean => {
    const statement: Statement = { _type: '', subject: [{ digest }], predicateType: '' };
    return isAbout(statement, Buffer.from('abc'));
  };
  const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  const sha512 =
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f';

  test.each([
    ['by SHA-256', { sha256 }, true],
    ['by SHA-512', { sha512 }, true],
    ['by both', { sha256, sha512 }, true],
    ['by one of two only', { sha256, sha512: sha512.replace('d', 'e') }, false],
    ['beside an algorithm that is not known', { sha256, sha1: '00' }, true],
    ['by an algorithm that is not known', { sha1: 'a9993e364706816aba3e25717850c26c9cd0d89d' }, false],
    ['by a part of the digest', { sha256: sha256.slice(0, 32) }, false],
    ['by nothing', {}, false],
  ])('is named %s', (_, digest, expected) => expect(about(digest)).toBe(expected));
});

describe('a bundle that is not well-formed', () => {
  test.each([
    '',
    'hello',
    '{}',
    'null',
    '[]',
    '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}',
  ])('%j', (text) => expect(() => readBundle(text)).toThrow(flaw('bundle_malformed')));

  test('with a bare key names nobody', async () => {
    const { verificationMaterial: material, ...rest } = bundleToJSON(
      (await session.signArtifact(ARTIFACT)).bundle,
    );
    const { timestampVerificationData } = material;
    const bare = bundleFromJSON({
      ...rest,
      verificationMaterial: { publicKey: { hint: 'a key' }, timestampVerificationData },
    });
    expect(() => verify(bare)).toThrow(flaw('bundle_unsuitable', /bare key/));
  });

  test('in any of its bytes fails in words, and never otherwise', async () => {
    const plain = JSON.stringify(bundleToJSON((await session.signArtifact(ARTIFACT)).bundle));
    const attestation = JSON.stringify(bundleToJSON(await attest(PREDICATE_TYPES['slsa-provenance'])));
    const damaged = fc
      .tuple(fc.constantFrom(plain, attestation), fc.nat(), fc.string({ unit: 'binary', maxLength: 3 }))
      .map(([text, at, put]) => {
        const place = at % text.length;
        return text.slice(0, place) + put + text.slice(place + 1 + (at % 3));
      });
    fc.assert(
      fc.property(damaged, (text) => {
        if (text === plain || text === attestation) return;
        try {
          verify(readBundle(text));
        } catch (failure) {
          if (!(failure instanceof ClientError)) throw failure;
        }
      }),
      { numRuns: 400 },
    );
  });

  test('in one bit of certificate, timestamp or signature names nobody else', async () => {
    const json = bundleToJSON((await session.signArtifact(ARTIFACT)).bundle);
    const texts = [
      json.verificationMaterial.certificate?.rawBytes,
      json.verificationMaterial.timestampVerificationData?.rfc3161Timestamps[0]?.signedTimestamp,
      json.messageSignature?.signature,
    ].map((text) => text ?? '');
    const whole = JSON.stringify(json);
    const anybody = { identity: new IdentityPattern('*') };
    let refused = 0;
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat(7), (text, at, bit) => {
        const bytes = Buffer.from(text, 'base64');
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
        try {
          const signer = verify(readBundle(whole.replace(text, bytes.toString('base64'))), anybody);
          expect(signer.identity).toBe(EMAIL); // some bits of a timestamp's wrapping are covered by no signature
        } catch (failure) {
          if (!(failure instanceof ClientError)) throw failure;
          refused += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(refused).toBeGreaterThan(200);
  });
});
