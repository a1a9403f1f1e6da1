// Sigstore's own JavaScript client, unmodified: @sigstore/sign signs with a certificate, a timestamp and the log of an
// instance, and @sigstore/verify believes it by the instance's trusted root alone.

import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { type BundleWithMessageSignature, bundleFromJSON, bundleToJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { DSSEBundleBuilder, FulcioSigner, MessageSignatureBundleBuilder, TSAWitness } from '@sigstore/sign';
import { toSignedEntity, toTrustMaterial, type VerificationPolicy, Verifier } from '@sigstore/verify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send } from '../fakes/client.ts';
import { startInstance, type TestInstance } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { ACCEPTED, keyPair } from '../vectors/key-pairs.ts';

const ARTIFACT = Buffer.from('what is signed');
const EMAIL = 'dana@example.org';

let people: FakeIssuer;
let jobs: FakeIssuer;
let instance: TestInstance;
let stranger: TestInstance;
let root: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  people = await startIssuer({ path: '/people', claims: { email: EMAIL, email_verified: true } });
  jobs = await people.sibling('/jobs', { claims: { sub: 'spiffe://mesh.example.org/ci' } });
  const issuers = [
    { issuer: people, type: 'email' },
    { issuer: jobs, type: 'spiffe', 'spiffe-trust-domain': 'mesh.example.org' },
  ];
  [instance, stranger] = await Promise.all([startInstance({ issuers }), startInstance({ issuers })]);
  root = await rootOf(instance);
});
afterAll(async () => {
  await Promise.all([instance.close(), stranger.close()]);
  await people.close();
});

async function rootOf({ url }: TestInstance): Promise<Readonly<Record<string, unknown>>> {
  return (await send(url, '/.well-known/mayfly/trusted_root.json')).json as Record<string, unknown>;
}

function builderFor(issuer: FakeIssuer): MessageSignatureBundleBuilder {
  return new MessageSignatureBundleBuilder(partsFor(issuer));
}

function partsFor(issuer: FakeIssuer): { signer: FulcioSigner; witnesses: TSAWitness[] } {
  const signer = new FulcioSigner({
    fulcioBaseURL: instance.url,
    identityProvider: { getToken: () => issuer.sign() },
  });
  return { signer, witnesses: [new TSAWitness({ tsaBaseURL: instance.url })] };
}

type Json = ReturnType<typeof bundleToJSON>;

async function signed(issuer = people): Promise<Json> {
  return bundleToJSON(await builderFor(issuer).create({ data: ARTIFACT }));
}

/** With one SCT and one timestamp asked for. */
function verify(bundle: Json, policy: VerificationPolicy = {}, artifact = ARTIFACT, trusted = root): void {
  const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(trusted)), {
    ctlogThreshold: 1,
    timestampThreshold: 1,
    tlogThreshold: 0,
  });
  verifier.verify(toSignedEntity(bundleFromJSON(bundle), artifact), policy);
}

const failing = (code: string): unknown => expect.objectContaining({ code });

describe('a bundle', () => {
  test('of an email address', async () => {
    const policy = { subjectAlternativeName: /^dana@example\.org$/, extensions: { issuer: people.url } };
    verify(await signed(), policy as VerificationPolicy);
  });

  test('of a workload', async () => {
    const policy = {
      subjectAlternativeName: /^spiffe:\/\/mesh\.example\.org\/ci$/,
      extensions: { issuer: jobs.url },
    };
    verify(await signed(jobs), policy as VerificationPolicy);
  });

  test('with an attestation', async () => {
    const builder = new DSSEBundleBuilder(partsFor(people));
    const type = 'application/vnd.in-toto+json';
    const data = Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}');
    const bundle = bundleToJSON(await builder.create({ data, type }));
    const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(root)), {
      ctlogThreshold: 1,
      timestampThreshold: 1,
      tlogThreshold: 0,
    });
    verifier.verify(toSignedEntity(bundleFromJSON(bundle)), {
      subjectAlternativeName: /^dana@example\.org$/,
    });
  });

  test.each(ACCEPTED.filter(([kind]) => kind.startsWith('P-') || kind === 'RSA-2048'))(
    'signed with %s, and SHA-256 as this client always has it',
    async (key) => {
      const { leaf } = await instance.issue({ token: await people.sign(), key });
      const signature = sign('sha256', ARTIFACT, keyPair(key).privateKey);
      const good = await signed();
      const stamp = await timestampOf(signature);
      const timestampVerificationData = {
        rfc3161Timestamps: [{ signedTimestamp: stamp.toString('base64') }],
      };
      const bundle = withCertificate(good, leaf.der);
      verify({
        ...bundle,
        verificationMaterial: { ...bundle.verificationMaterial, timestampVerificationData },
        messageSignature: { ...good.messageSignature, signature: signature.toString('base64') },
      } as Json);
    },
  );
});

async function timestampOf(signature: Uint8Array): Promise<Buffer> {
  const { rfc3161Timestamps } = await new TSAWitness({ tsaBaseURL: instance.url }).testify({
    $case: 'messageSignature',
    messageSignature: { signature: Buffer.from(signature), messageDigest: undefined },
  } as Parameters<TSAWitness['testify']>[0]);
  return Buffer.from(rfc3161Timestamps?.[0]?.signedTimestamp ?? []);
}

describe('it is not believed', () => {
  test.each<[string, VerificationPolicy]>([
    ['of another address', { subjectAlternativeName: /^erin@example\.org$/ }],
    ['of an address that only contains it', { subjectAlternativeName: /^ana@example\.org$/ }],
    ['of another issuer', { extensions: { issuer: 'https://other.example.org' } } as VerificationPolicy],
  ])('%s', async (_, policy) => {
    const bundle = await signed();
    expect(() => verify(bundle, policy)).toThrow(expect.objectContaining({ name: 'PolicyError' }));
  });

  test('for another artifact', async () => {
    const bundle = await signed();
    expect(() => verify(bundle, {}, Buffer.from('what is signee'))).toThrow(failing('SIGNATURE_ERROR'));
  });

  test('where the log has another key', async () => {
    const bundle = await signed();
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const other = changedLog((ctlog) => ({
      ...ctlog,
      publicKey: { ...(ctlog['publicKey'] as object), rawBytes: spki.toString('base64') },
      logId: { keyId: createHash('sha256').update(spki).digest('base64') },
    }));
    expect(() => verify(bundle, {}, ARTIFACT, other)).toThrow(failing('CERTIFICATE_ERROR'));
    // The name of the true log does not help the false key.
    const impostor = changedLog((ctlog) => ({
      ...ctlog,
      publicKey: { ...(ctlog['publicKey'] as object), rawBytes: spki.toString('base64') },
    }));
    expect(() => verify(bundle, {}, ARTIFACT, impostor)).toThrow(failing('CERTIFICATE_ERROR'));
  });

  test('by the trusted root of another instance', async () => {
    const bundle = await signed();
    const other = await rootOf(stranger);
    expect(() => verify(bundle, {}, ARTIFACT, other)).toThrow();
    const { certificateAuthorities } = other;
    expect(() => verify(bundle, {}, ARTIFACT, { ...root, certificateAuthorities })).toThrow(
      failing('CERTIFICATE_ERROR'),
    );
  });

  test("with another's certificate", async () => {
    const bundle = await signed();
    const { leaf } = await instance.issue({ token: await people.sign(), key: 'P-256' });
    const changed = withCertificate(bundle, leaf.der);
    expect(() => verify(changed)).toThrow(failing('SIGNATURE_ERROR'));
  });

  test('with any extension of its certificate changed', async () => {
    const bundle = await signed();
    const raw = Buffer.from(rawBytesOf(bundle), 'base64');
    const at = raw.indexOf(EMAIL);
    raw[at] = (raw[at] ?? 0) ^ 1;
    expect(() => verify(withCertificate(bundle, raw))).toThrow(failing('CERTIFICATE_ERROR'));
  });

  test('without a timestamp', async () => {
    const { signer } = partsFor(people);
    const bare = await new MessageSignatureBundleBuilder({ signer, witnesses: [] }).create({
      data: ARTIFACT,
    });
    expect(() => verify(bundleToJSON(bare as BundleWithMessageSignature))).toThrow();
  });
});

/** In the form in which the bundle holds its own. */
function withCertificate(bundle: Json, der: Uint8Array): Json {
  const one = { rawBytes: Buffer.from(der).toString('base64') };
  const { certificate, x509CertificateChain: _, ...rest } = bundle.verificationMaterial;
  const put =
    certificate === undefined ? { x509CertificateChain: { certificates: [one] } } : { certificate: one };
  return { ...bundle, verificationMaterial: { ...rest, ...put } } as Json;
}

function changedLog(change: (ctlog: Record<string, unknown>) => object): Record<string, unknown> {
  const ctlogs = root['ctlogs'] as Record<string, unknown>[];
  return { ...root, ctlogs: ctlogs.map(change) };
}

function rawBytesOf({ verificationMaterial: { certificate, x509CertificateChain } }: Json): string {
  return certificate?.rawBytes ?? x509CertificateChain?.certificates[0]?.rawBytes ?? '';
}

test('the client says why, in the words of the instance', async () => {
  const signer = new FulcioSigner({
    fulcioBaseURL: instance.url,
    identityProvider: { getToken: () => people.sign({ email_verified: true, aud: 'other' }) },
    retry: 0,
  });
  const builder = new MessageSignatureBundleBuilder({ signer, witnesses: [] });
  await expect(builder.create({ data: ARTIFACT })).rejects.toMatchObject({
    code: 'CA_CREATE_SIGNING_CERTIFICATE_ERROR',
    cause: { message: expect.stringContaining('There was an error processing the identity token') },
  });
});
