// Signing sessions: against whole instances, with and without a signature log, behind a front, and where it is refused.

import { createHash } from 'node:crypto';
import { bundleToJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { IdentityPattern } from '../../../src/client/identity-pattern.ts';
import { pep740Of } from '../../../src/client/pep740.ts';
import { RemoteInstance } from '../../../src/client/remote-instance.ts';
import { SigningSession } from '../../../src/client/session.ts';
import { PREDICATE_TYPES, statementAbout } from '../../../src/client/statement.ts';
import type { TokenOptions } from '../../../src/client/token-acquisition.ts';
import { readBundle, verifySignature } from '../../../src/client/verification.ts';
import { SHAPES } from '../../../src/dev/shape.ts';
import { startInstance, type TestInstance } from '../../../src/node/library.ts';
import { type HttpServer, listen } from '../../../src/node/listener/http-server.ts';
import { startFront, withRekor } from '../../fakes/front.ts';
import { entryOf } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { FakeRekor } from '../../fakes/rekor.ts';

const ARTIFACT = Buffer.from('what is released');
const EMAIL = 'release@example.com';

let instance: TestInstance;
let stranger: TestInstance;
let rekor: FakeRekor;
beforeAll(async () => {
  [instance, stranger, rekor] = await Promise.all([startInstance(), startInstance(), FakeRekor.start()]);
});
afterAll(async () => {
  rekor.close();
  await Promise.all([instance.close(), stranger.close()]);
});

async function open(url: string, options: Partial<TokenOptions> = {}): Promise<SigningSession> {
  return SigningSession.open(new RemoteInstance(url), {
    given: await instance.token({ email: EMAIL }),
    env: {},
    attended: false,
    tell: () => {},
    ...options,
  });
}

const publish = () =>
  statementAbout({ name: 'a-1.0.tar.gz', data: ARTIFACT }, PREDICATE_TYPES['pypi-publish'], {});

test('a signature is a bundle v0.3 with one certificate and one timestamp', async () => {
  const { bundle, signer } = await (await open(instance.url)).signArtifact(ARTIFACT);
  expect(bundleToJSON(bundle)).toMatchObject({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      certificate: { rawBytes: expect.any(String) },
      timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: expect.any(String) }] },
    },
    messageSignature: { messageDigest: { algorithm: 'SHA2_256' } },
  });
  expect(signer).toMatchObject({ identity: EMAIL, issuer: instance.issuer });
  expect(Math.abs(signer.signedAt.getTime() - Date.now())).toBeLessThan(60_000);
});

test('each signature has a key and a certificate of its own', async () => {
  const session = await open(instance.url);
  const [a, b] = [await session.signArtifact(ARTIFACT), await session.signStatement(publish(), ARTIFACT)];
  expect(a.signer.leaf.spki).not.toEqual(b.signer.leaf.spki);
});

test('everything of the instance is asked for at the address by which the client knows it', async () => {
  const front = await startFront(instance);
  try {
    await (await open(front.url)).signArtifact(ARTIFACT);
    expect(front.requests.toSorted()).toEqual([
      'GET /.well-known/mayfly/signing_config.json',
      'GET /.well-known/mayfly/trusted_root.json',
      'GET /api/v2/configuration',
      'POST /api/v1/timestamp',
      'POST /api/v2/signingCert',
    ]);
  } finally {
    await front.close();
  }
});

describe('where a token has to be for one key', () => {
  let forge: FakeIssuer;
  let bound: TestInstance;
  let job: HttpServer;
  /** Audiences that the job has asked its forge for. */
  let asked: string[];
  beforeAll(async () => {
    forge = await startIssuer({ claims: SHAPES.github.claims });
    const entry = entryOf({ issuer: forge, type: 'github', binding: 'audience-thumbprint' });
    bound = await startInstance({ configuration: { issuers: [entry] } });
    const answer = async (request: Request): Promise<Response> => {
      const aud = new URL(request.url).searchParams.get('audience') ?? '';
      asked.push(aud);
      return Response.json({ value: await forge.sign({ aud }) });
    };
    job = await listen(answer, '127.0.0.1', 0);
  });
  beforeEach(() => {
    asked = [];
  });
  afterAll(() => Promise.all([job.close(), bound.close(), forge.close()]));

  const inJob = () => ({
    GITHUB_ACTIONS: 'true',
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${job.port}/token?v=1`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'bearer',
  });
  const openIn = (instance: RemoteInstance, options: Partial<TokenOptions> = {}) =>
    SigningSession.open(instance, { env: inJob(), attended: false, tell: () => {}, ...options });

  test('it is asked for that key, which then makes every signature of the session', async () => {
    // As the instance's other issuer of this type takes any key, the token must show first which of them made it.
    const session = await openIn(new RemoteInstance(bound.url));
    const [a, b] = [await session.signArtifact(ARTIFACT), await session.signStatement(publish(), ARTIFACT)];
    const thumbprint = createHash('sha256').update(a.signer.leaf.spki).digest('base64url');
    expect(asked).toEqual(['sigstore', `sigstore+${thumbprint}`]);
    expect(b.signer.leaf.spki).toEqual(a.signer.leaf.spki);
    expect(a.signer.issuer).toBe(forge.url);
  });

  test('it is asked for at once where all issuers of its type want that', async () => {
    const front = await startFront(bound, async (path) => {
      if (path !== '/api/v2/configuration') return undefined;
      const { issuers } = (await (await fetch(bound.url + path)).json()) as {
        issuers: { issuerUrl: string }[];
      };
      return Response.json({ issuers: issuers.filter(({ issuerUrl }) => issuerUrl === forge.url) });
    });
    try {
      await (await openIn(new RemoteInstance(front.url))).signArtifact(ARTIFACT);
      expect(asked).toEqual([expect.stringMatching(/^sigstore\+[\w-]{43}$/)]);
    } finally {
      await front.close();
    }
  });

  test('one that was made before the key is not sent', async () => {
    const front = await startFront(bound);
    try {
      for (const aud of ['sigstore', `sigstore+${'A'.repeat(43)}`]) {
        const given = await forge.sign({ aud });
        await expect(openIn(new RemoteInstance(front.url), { given })).rejects.toThrow(
          /only for the key that its audience names/,
        );
      }
      expect(front.requests.filter((one) => one.startsWith('POST'))).toEqual([]);
    } finally {
      await front.close();
    }
  });
});

describe('with a signature log', () => {
  test('entries are made, and asked for by those who know the log', async () => {
    const front = await startFront(instance, withRekor(instance, rekor));
    try {
      const session = await open(front.url);
      const trustedRoot = await new RemoteInstance(front.url).trustedRoot();
      const expectation = { identity: new IdentityPattern(EMAIL), issuer: instance.issuer };
      const { bundle } = await session.signArtifact(ARTIFACT);
      expect(bundle.verificationMaterial.tlogEntries).toHaveLength(1);
      verifySignature({ bundle, artifact: ARTIFACT, trustedRoot }, expectation);

      const without = (await (await open(instance.url)).signArtifact(ARTIFACT)).bundle;
      expect(() =>
        verifySignature({ bundle: without, artifact: ARTIFACT, trustedRoot }, expectation),
      ).toThrow(expect.objectContaining({ code: 'signature_log_untrusted' }));
      const ignorant = TrustedRoot.fromJSON(instance.trustedRoot);
      expect(() =>
        verifySignature({ bundle, artifact: ARTIFACT, trustedRoot: ignorant }, expectation),
      ).toThrow(expect.objectContaining({ code: 'signature_log_untrusted' }));
    } finally {
      await front.close();
    }
  });

  test('a publish attestation has the form of PEP 740', async () => {
    const front = await startFront(instance, withRekor(instance, rekor));
    try {
      const { bundle } = await (await open(front.url)).signStatement(publish(), ARTIFACT);
      const attestation = pep740Of(bundle);
      expect(attestation).toEqual({
        version: 1,
        verification_material: {
          certificate: expect.any(String),
          transparency_entries: [
            expect.objectContaining({
              inclusionProof: expect.any(Object),
              canonicalizedBody: expect.any(String),
            }),
          ],
        },
        envelope: { statement: expect.any(String), signature: expect.any(String) },
      });
      expect(JSON.parse(Buffer.from(attestation.envelope.statement, 'base64').toString())).toMatchObject({
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{ name: 'a-1.0.tar.gz', digest: { sha256: expect.stringMatching(/^[\da-f]{64}$/) } }],
        predicateType: 'https://docs.pypi.org/attestations/publish/v1',
      });
    } finally {
      await front.close();
    }
  });
});

test('without a signature log there is no PEP 740 attestation', async () => {
  const { bundle } = await (await open(instance.url)).signStatement(publish(), ARTIFACT);
  expect(() => pep740Of(bundle)).toThrow(/wants an entry of a signature log/);
});

describe('is refused', () => {
  const refusal = (code: string, words: RegExp): unknown =>
    expect.objectContaining({ name: 'ClientError', code, message: expect.stringMatching(words) });

  test('a token that the instance would not take, which is not sent', async () => {
    const front = await startFront(instance);
    try {
      const given = await stranger.token();
      await expect(open(front.url, { given })).rejects.toThrow(
        refusal('certificate_refused', /does not trust the issuer of the token/),
      );
      expect(front.requests.filter((one) => one.startsWith('POST'))).toEqual([]);
    } finally {
      await front.close();
    }
  });

  test('a certificate, with what would be accepted', async () => {
    const session = await open(instance.url, { given: await instance.token({ aud: 'somebody' }) });
    await expect(session.signArtifact(ARTIFACT)).rejects.toThrow(
      refusal('certificate_refused', /\(AUDIENCE_MISMATCH\)\. .*sigstore/),
    );
  });

  test.each([
    ['a timestamp', '/api/v1/timestamp', 'timestamp_refused', /error creating timestamp - \(403\)/],
    [
      'a certificate, by something else',
      '/api/v2/signingCert',
      'certificate_refused',
      /gave no certificate \(403\)/,
    ],
    [
      'its trust documents',
      '/.well-known/mayfly/signing_config.json',
      'instance_unusable',
      /answered 403 for/,
    ],
    ['its issuers', '/api/v2/configuration', 'instance_unusable', /which issuers it trusts/],
  ])('%s', async (_, refused, code, words) => {
    const front = await startFront(instance, (path) =>
      path === refused ? new Response('no', { status: 403 }) : undefined,
    );
    try {
      await expect(open(front.url).then((session) => session.signArtifact(ARTIFACT))).rejects.toThrow(
        refusal(code, words),
      );
    } finally {
      await front.close();
    }
  });

  test('by an instance that has no timestamp authority', async () => {
    const { tsaConfig: _, ...config } = instance.signingConfig;
    const front = await startFront(instance, (path) =>
      path.endsWith('signing_config.json') ? Response.json({ ...config, tsaUrls: [] }) : undefined,
    );
    try {
      const session = await open(front.url);
      await expect(session.signArtifact(ARTIFACT)).rejects.toThrow(
        refusal('instance_unusable', /no timestamp authority/),
      );
    } finally {
      await front.close();
    }
  });

  test('a signature that the trusted root does not bear out', async () => {
    const front = await startFront(instance, (path) =>
      path.endsWith('trusted_root.json') ? Response.json(stranger.trustedRoot) : undefined,
    );
    try {
      const session = await open(front.url);
      await expect(session.signArtifact(ARTIFACT)).rejects.toThrow(
        refusal('instance_unusable', /its own trusted root does not bear out/),
      );
    } finally {
      await front.close();
    }
  });
});

test('an instance that is busy is asked again', async () => {
  const refused = new Set(['/api/v2/signingCert', '/api/v2/configuration']);
  const front = await startFront(instance, (path) =>
    refused.delete(path) ? new Response('', { status: 503, headers: { 'retry-after': '0' } }) : undefined,
  );
  try {
    const { bundle } = await (await open(front.url)).signArtifact(ARTIFACT);
    expect(readBundle(JSON.stringify(bundleToJSON(bundle)))).toBeDefined();
    expect(front.requests.filter((one) => one === 'POST /api/v2/signingCert')).toHaveLength(2);
  } finally {
    await front.close();
  }
});
