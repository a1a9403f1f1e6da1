// sigstore-python as PyPI has it: it takes our trust documents and certificates, signs, and refuses what it must.
// It wants a signature log, which a stand-in gives (fakes/rekor.ts).

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleToJSON } from '@sigstore/bundle';
import { afterAll, beforeAll, expect, type TestContext, test as vitestTest } from 'vitest';
import { pep740Of } from '../../src/client/pep740.ts';
import { RemoteInstance } from '../../src/client/remote-instance.ts';
import { SigningSession } from '../../src/client/session.ts';
import { PREDICATE_TYPES, statementAbout } from '../../src/client/statement.ts';
import { startInstance, type TestInstance } from '../../src/node/library.ts';
import { startFront, withRekor } from '../fakes/front.ts';
import { FakeRekor } from '../fakes/rekor.ts';
import { installSigstorePython, python, type Ran } from '../fakes/sigstore-python.ts';
import { describeWith, maySkip } from '../fakes/skip.ts';

const EMAIL = 'release@example.com';

describeWith('python', 'sigstore-python', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-python-'));
  const path = (name: string): string => join(folder, name);
  let missing: string | undefined;
  let instance: TestInstance;
  let stranger: TestInstance;
  let rekor: FakeRekor;

  beforeAll(async () => {
    try {
      installSigstorePython();
    } catch (failure) {
      missing = `sigstore-python cannot be installed: ${failure instanceof Error ? failure.message : ''}`;
      if (!maySkip('python', process.env['MAYFLY_TESTS_MAY_SKIP'])) throw failure;
      console.warn(`SKIPPED ${missing}`);
    }
    [instance, stranger, rekor] = await Promise.all([startInstance(), startInstance(), FakeRekor.start()]);
    writeFileSync(path('trust.json'), JSON.stringify(trustOf(instance)));
    writeFileSync(path('artifact'), 'what is released');
    writeFileSync(path('other'), 'what is not');
  }, 300_000);
  afterAll(async () => {
    rekor.close();
    await Promise.all([instance.close(), stranger.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function test(title: string, body: () => Promise<void>): void {
    vitestTest(title, { timeout: 90_000 }, async (context: TestContext) => {
      if (missing !== undefined) context.skip(missing);
      await body();
    });
  }

  /** The client trust configuration with the stand-in in it, and parts of another one. */
  function trustOf({ clientTrustConfig }: TestInstance, parts: object = {}): object {
    const { trustedRoot, signingConfig } = clientTrustConfig;
    return {
      ...clientTrustConfig,
      trustedRoot: { ...trustedRoot, tlogs: [rekor.trusted], ...parts },
      signingConfig: {
        ...signingConfig,
        rekorTlogUrls: [rekor.service],
        rekorTlogConfig: { selector: 'ANY' },
      },
    };
  }

  async function sign(token: string): Promise<Ran> {
    const args = ['--trust-config', path('trust.json'), 'sign', '--identity-token', token];
    return python(
      ['-m', 'sigstore', ...args, '--overwrite', '--bundle', path('bundle.json'), path('artifact')],
      folder,
    );
  }

  interface Question {
    readonly artifact?: string;
    readonly identity?: string;
    readonly issuer?: string;
    /** Parts of the trusted root that replace the instance's. */
    readonly parts?: object;
  }

  async function verify(question: Question = {}): Promise<Ran> {
    const { artifact = 'artifact', identity = EMAIL, issuer = instance.issuer, parts = {} } = question;
    writeFileSync(path('question.json'), JSON.stringify(trustOf(instance, parts)));
    const args = [
      '--trust-config',
      path('question.json'),
      'verify',
      'identity',
      '--bundle',
      path('bundle.json'),
    ];
    const who = ['--cert-identity', identity, '--cert-oidc-issuer', issuer];
    return python(['-m', 'sigstore', ...args, ...who, path(artifact)], folder);
  }

  test('asks with a request of its own, whose subject counts for nothing, and gets a chain with one SCT', async () => {
    writeFileSync(path('token'), await instance.token({ email: EMAIL }));
    writeFileSync(path('root.json'), JSON.stringify(instance.trustedRoot));
    const script = join(import.meta.dirname, 'fulcio_client.py');
    const { status, output } = await python([script, instance.url, path('token'), path('root.json')], folder);
    expect(output).toBe(`names: ['${EMAIL}']\nchain: 2\nbundle: True\n`);
    expect(status).toBe(0);
  });

  test('signs and verifies', async () => {
    const signed = await sign(await instance.token({ email: EMAIL }));
    expect(signed).toEqual({ status: 0, output: expect.stringContaining('bundle.json') });
    expect(await verify()).toEqual({ status: 0, output: expect.stringContaining('OK') });
  });

  const failures: readonly (readonly [string, RegExp, () => Question])[] = [
    ['the wrong identity', /SANs do not match/i, () => ({ identity: 'release@example.co' })],
    ['the wrong issuer', /issuer/i, () => ({ issuer: stranger.issuer })],
    ['a tampered artifact', /digest mismatch/i, () => ({ artifact: 'other' })],
    [
      'a foreign root of the same name',
      /certificate chain/i,
      () => ({ parts: { certificateAuthorities: stranger.trustedRoot.certificateAuthorities } }),
    ],
    ['another log', /SCT/i, () => ({ parts: { ctlogs: stranger.trustedRoot.ctlogs } })],
    [
      'a foreign timestamp authority of the same name',
      /verified time/i,
      () => ({ parts: { timestampAuthorities: stranger.trustedRoot.timestampAuthorities } }),
    ],
  ];
  for (const [title, words, question] of failures) {
    test(`refuses ${title}`, async () => {
      const { status, output } = await verify(question());
      expect(output).toMatch(words);
      expect(status).not.toBe(0);
    });
  }

  test("PyPI's library reads our publish attestation as its own", async () => {
    const distribution = 'sampleproject-1.0.tar.gz';
    writeFileSync(path(distribution), 'what is published');
    const front = await startFront(instance, withRekor(instance, rekor));
    try {
      const session = await SigningSession.open(new RemoteInstance(front.url), {
        given: await instance.token({ email: EMAIL }),
        env: {},
        attended: false,
        tell: () => {},
      });
      const artifact = { name: distribution, data: Buffer.from('what is published') };
      const statement = statementAbout(artifact, PREDICATE_TYPES['pypi-publish'], {});
      const { bundle } = await session.signStatement(statement, artifact.data);
      writeFileSync(path('bundle.json'), JSON.stringify(bundleToJSON(bundle)));
      writeFileSync(path('attestation.json'), JSON.stringify(pep740Of(bundle)));
    } finally {
      await front.close();
    }
    const files = ['attestation.json', 'bundle.json', distribution].map(path);
    const { output } = await python([join(import.meta.dirname, 'pep740.py'), ...files], folder);
    expect(output).toBe(
      'type: https://docs.pypi.org/attestations/publish/v1\nsubject: True\nenvelope: True\ncertificate: True\nentries: 1\n',
    );
  });

  test('is refused a certificate for a token of a stranger', async () => {
    expect((await sign(await stranger.token())).status).not.toBe(0);
  });
});
