// @sigstore/sign and @sigstore/verify as npm has them, against a running instance: what must pass passes, and nothing else.

import { createHash } from 'node:crypto';
import { type Bundle, bundleFromJSON, bundleToJSON } from '@sigstore/bundle';
import { SigningConfig, TrustedRoot } from '@sigstore/protobuf-specs';
import {
  bundleBuilderFromSigningConfig,
  FulcioSigner,
  MessageSignatureBundleBuilder,
  TSAWitness,
} from '@sigstore/sign';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { IdentityPattern } from '../../src/client/identity-pattern.ts';
import type { Expectation } from '../../src/client/verification.ts';
import { verifySignature } from '../../src/client/verification.ts';
import { startInstance, type TestInstance } from '../../src/node/library.ts';

const ARTIFACT = Buffer.from('what is released');
const OTHER = Buffer.from('what is not');
const EMAIL = 'release@example.com';

let instance: TestInstance;
let stranger: TestInstance;
beforeAll(async () => {
  // Two development instances give their authorities the same names, under keys of their own.
  [instance, stranger] = await Promise.all([startInstance(), startInstance()]);
});
afterAll(() => Promise.all([instance.close(), stranger.close()]));
afterEach(() => void vi.useRealTimers());

type BundleType = 'messageSignature' | 'dsseEnvelope';

async function sign(
  by: TestInstance = instance,
  bundleType: BundleType = 'messageSignature',
  token: () => Promise<string> = () => by.token({ email: EMAIL }),
): Promise<Bundle> {
  const builder = bundleBuilderFromSigningConfig({
    signingConfig: SigningConfig.fromJSON(by.signingConfig),
    identityProvider: { getToken: token },
    bundleType,
  });
  const made = await builder.create({ data: ARTIFACT, type: 'text/plain' });
  return bundleFromJSON(JSON.parse(JSON.stringify(bundleToJSON(made))));
}

interface Question {
  readonly artifact?: Buffer;
  readonly identity?: string;
  readonly issuer?: string;
  readonly root?: TrustedRoot;
}

const ownRoot = (): TrustedRoot => TrustedRoot.fromJSON(instance.trustedRoot);

function verifyWithSigstore(bundle: Bundle, question: Question = {}): void {
  const { artifact = ARTIFACT, identity = EMAIL, issuer = instance.issuer, root = ownRoot() } = question;
  const verifier = new Verifier(toTrustMaterial(root), {
    tlogThreshold: 0,
    ctlogThreshold: 1,
    timestampThreshold: 1,
  });
  verifier.verify(toSignedEntity(bundle, artifact), {
    subjectAlternativeName: new RegExp(`^${RegExp.escape(identity)}$`),
    extensions: { issuer },
  });
}

function verifyWithMayfly(bundle: Bundle, question: Question = {}): void {
  const { artifact = ARTIFACT, identity = EMAIL, issuer = instance.issuer, root = ownRoot() } = question;
  const expectation: Expectation = { identity: new IdentityPattern(identity), issuer };
  verifySignature({ bundle, artifact, trustedRoot: root }, expectation);
}

describe('a signature', () => {
  test.each(['github', 'gitlab', 'email'] as const)('by a %s identity verifies', async (shape) => {
    const { url, token } = instance.issuers[shape];
    const bundle = await sign(instance, 'messageSignature', token);
    const identity = {
      github: /\/octo-org\/octo-repo\/\.github\/workflows\/release\.yml@refs\/heads\/main$/,
      gitlab: /\/my-group\/my-project\/\/\.gitlab-ci\.yml@refs\/heads\/main$/,
      email: /^dev@example\.com$/,
    }[shape];
    const verifier = new Verifier(toTrustMaterial(ownRoot()), { tlogThreshold: 0 });
    const signer = verifier.verify(toSignedEntity(bundle, ARTIFACT), { extensions: { issuer: url } });
    expect(signer.identity?.subjectAlternativeName).toMatch(identity);
  });

  test('in an envelope verifies', async () => {
    verifyWithSigstore(await sign(instance, 'dsseEnvelope'));
  });

  test('made with its parts, and the authority found at the root, verifies', async () => {
    const builder = new MessageSignatureBundleBuilder({
      signer: new FulcioSigner({
        fulcioBaseURL: instance.url,
        identityProvider: { getToken: () => instance.token({ email: EMAIL }) },
      }),
      witnesses: [new TSAWitness({ tsaBaseURL: instance.url })],
    });
    verifyWithSigstore(await builder.create({ data: ARTIFACT }));
  });

  test('is refused to a token of a stranger', async () => {
    await expect(sign(instance, 'messageSignature', () => stranger.token())).rejects.toThrow(
      expect.objectContaining({ code: 'CA_CREATE_SIGNING_CERTIFICATE_ERROR' }),
    );
  });
});

type Case = readonly [bundle: Bundle, question?: Question];

/** What must fail, by what @sigstore/verify and our own client say to it. */
const FAILURES: readonly {
  readonly title: string;
  readonly sigstore: string;
  readonly mayfly: string;
  make(): Promise<Case>;
}[] = [
  {
    title: 'the wrong identity',
    sigstore: 'UNTRUSTED_SIGNER_ERROR',
    mayfly: 'identity_mismatch',
    make: async () => [await sign(), { identity: 'release@example.co' }],
  },
  {
    title: 'the wrong issuer',
    sigstore: 'UNTRUSTED_SIGNER_ERROR',
    mayfly: 'issuer_mismatch',
    make: async () => [await sign(), { issuer: stranger.issuer }],
  },
  {
    title: 'a tampered artifact',
    sigstore: 'SIGNATURE_ERROR',
    mayfly: 'artifact_mismatch',
    make: async () => [await sign(), { artifact: OTHER }],
  },
  {
    title: 'a tampered artifact with its digest in the bundle',
    sigstore: 'SIGNATURE_ERROR',
    mayfly: 'signature_invalid',
    make: async () => {
      const digest = createHash('sha256').update(OTHER).digest('base64');
      const changed = changedBundle(await sign(), ({ messageSignature }) => {
        messageSignature.messageDigest.digest = digest;
      });
      return [changed, { artifact: OTHER }];
    },
  },
  {
    title: 'a foreign root of the same name',
    sigstore: 'CERTIFICATE_ERROR',
    mayfly: 'certificate_untrusted',
    make: async () => [await sign(), { root: rootWith('certificateAuthorities') }],
  },
  {
    title: 'another log',
    sigstore: 'CERTIFICATE_ERROR',
    mayfly: 'sct_untrusted',
    make: async () => [await sign(), { root: rootWith('ctlogs') }],
  },
  {
    title: 'another key under the id of the log',
    sigstore: 'CERTIFICATE_ERROR',
    mayfly: 'sct_untrusted',
    make: async () => {
      const root = rootWith('ctlogs');
      for (const [i, log] of root.ctlogs.entries()) log.logId = ownRoot().ctlogs[i]?.logId;
      return [await sign(), { root }];
    },
  },
  {
    title: 'a foreign timestamp authority of the same name',
    sigstore: 'TIMESTAMP_ERROR',
    mayfly: 'timestamp_untrusted',
    make: async () => [await sign(), { root: rootWith('timestampAuthorities') }],
  },
  {
    title: 'the timestamp of another signature',
    sigstore: 'TIMESTAMP_ERROR',
    mayfly: 'timestamp_untrusted',
    make: async () => {
      const { timestampVerificationData } = serialized(await sign()).verificationMaterial;
      const changed = changedBundle(await sign(), ({ verificationMaterial }) => {
        verificationMaterial.timestampVerificationData = timestampVerificationData;
      });
      return [changed];
    },
  },
  {
    title: 'no timestamp at all, on a certificate that will expire,',
    sigstore: 'TIMESTAMP_ERROR',
    mayfly: 'timestamp_missing',
    make: async () => {
      const changed = changedBundle(await sign(), ({ verificationMaterial }) => {
        verificationMaterial.timestampVerificationData = { rfc3161Timestamps: [] };
      });
      return [changed];
    },
  },
  {
    title: 'the certificate of another signature',
    sigstore: 'SIGNATURE_ERROR',
    mayfly: 'signature_invalid',
    make: async () => {
      const other = serialized(await sign()).verificationMaterial;
      const changed = changedBundle(await sign(), ({ verificationMaterial }) => {
        verificationMaterial.x509CertificateChain = other.x509CertificateChain;
      });
      return [changed];
    },
  },
  {
    title: 'a certificate that had expired when the timestamp was given',
    sigstore: 'CERTIFICATE_ERROR',
    mayfly: 'certificate_expired',
    make: signedLate,
  },
];

describe.each(FAILURES)('$title fails', ({ sigstore, mayfly, make }) => {
  test('with @sigstore/verify', async () => {
    const [bundle, question] = await make();
    expect(() => verifyWithSigstore(bundle, question)).toThrow(expect.objectContaining({ code: sigstore }));
  });

  test('with our own client', async () => {
    const [bundle, question] = await make();
    expect(() => verifyWithMayfly(bundle, question)).toThrow(
      expect.objectContaining({ name: 'ClientError', code: mayfly }),
    );
  });
});

test('what passes for one passes for the other', async () => {
  const bundle = await sign();
  verifyWithSigstore(bundle);
  verifyWithMayfly(bundle);
});

/** The instance's root with one part of the stranger's, whose names are the same. */
function rootWith(part: 'certificateAuthorities' | 'ctlogs' | 'timestampAuthorities'): TrustedRoot {
  return TrustedRoot.fromJSON({ ...instance.trustedRoot, [part]: stranger.trustedRoot[part] });
}

/** The parts of a serialized bundle that tests put out of order. */
interface Serialized {
  readonly messageSignature: { readonly messageDigest: { digest: string } };
  readonly verificationMaterial: {
    x509CertificateChain: object;
    timestampVerificationData: { readonly rfc3161Timestamps: readonly object[] };
  };
}

function serialized(bundle: Bundle): Serialized {
  return JSON.parse(JSON.stringify(bundleToJSON(bundle)));
}

function changedBundle(bundle: Bundle, change: (json: Serialized) => void): Bundle {
  const json = serialized(bundle);
  change(json);
  return bundleFromJSON(json);
}

/** The clock goes on by twenty minutes between certificate and timestamp, on an instance that nobody uses after that. */
async function signedLate(): Promise<Case> {
  await using late = await startInstance();
  const signer = new FulcioSigner({
    fulcioBaseURL: late.url,
    identityProvider: { getToken: () => late.token({ email: EMAIL }) },
  });
  const builder = new MessageSignatureBundleBuilder({
    signer: {
      async sign(data) {
        const signature = await signer.sign(data);
        vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 20 * 60_000 });
        return signature;
      },
    },
    witnesses: [new TSAWitness({ tsaBaseURL: late.url })],
  });
  const bundle = await builder.create({ data: ARTIFACT });
  vi.useRealTimers();
  return [bundle, { root: TrustedRoot.fromJSON(late.trustedRoot), issuer: late.issuer }];
}
