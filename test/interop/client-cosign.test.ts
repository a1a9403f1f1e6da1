// cosign as its source has it, with our trust documents: signs without a signature log, and verifies by our timestamp alone.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleToJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IdentityPattern } from '../../src/client/identity-pattern.ts';
import { RemoteInstance } from '../../src/client/remote-instance.ts';
import { SigningSession } from '../../src/client/session.ts';
import { statementAbout } from '../../src/client/statement.ts';
import { readBundle, verifySignature } from '../../src/client/verification.ts';
import { startInstance, type TestInstance } from '../../src/node/library.ts';
import { findCosign, HOW } from '../fakes/cosign.ts';

const EMAIL = 'release@example.com';
const TYPE = 'https://example.com/predicate';
const ARTIFACT = Buffer.from('what is released');

const cosign = findCosign();
if (cosign === undefined) console.warn(`SKIPPED cosign: needs ${HOW}`);

describe.skipIf(cosign === undefined)('cosign', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-cosign-'));
  const path = (name: string): string => join(folder, name);
  let instance: TestInstance;
  let stranger: TestInstance;
  beforeAll(async () => {
    [instance, stranger] = await Promise.all([startInstance(), startInstance()]);
    const token = await instance.token({ email: EMAIL });
    const files = {
      artifact: ARTIFACT,
      other: 'what is not',
      token,
      'root.json': JSON.stringify(instance.trustedRoot),
      'config.json': JSON.stringify(instance.signingConfig),
    };
    for (const [name, content] of Object.entries(files)) writeFileSync(path(name), content);
    const session = await SigningSession.open(new RemoteInstance(instance.url), {
      given: token,
      env: {},
      attended: false,
      tell: () => {},
    });
    const ours = await session.signArtifact(ARTIFACT);
    const statement = statementAbout({ name: 'artifact', data: ARTIFACT }, TYPE, { answer: 42 });
    const attestation = await session.signStatement(statement, ARTIFACT);
    writeFileSync(path('ours.json'), JSON.stringify(bundleToJSON(ours.bundle)));
    writeFileSync(path('attestation.json'), JSON.stringify(bundleToJSON(attestation.bundle)));
  });
  afterAll(async () => {
    await Promise.all([instance.close(), stranger.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function run(...args: readonly string[]): Promise<{ readonly ok: boolean; readonly output: string }> {
    return new Promise((resolve) => {
      execFile(
        cosign ?? '',
        [...args],
        { cwd: folder, env: { HOME: folder, PATH: process.env['PATH'] } },
        (failure, stdout, stderr) => resolve({ ok: failure === null, output: stdout + stderr }),
      );
    });
  }

  const sign = (...how: readonly string[]) =>
    run(
      ...['sign-blob', '--yes', '--identity-token', path('token'), '--trusted-root', path('root.json')],
      ...[...how, path('artifact')],
    );

  interface Question {
    readonly command?: readonly string[];
    readonly artifact?: string;
    readonly identity?: string;
    readonly issuer?: string;
    readonly parts?: object;
  }

  function verify(bundle: string, question: Question = {}): ReturnType<typeof run> {
    const { command = ['verify-blob'], artifact = 'artifact', identity = EMAIL } = question;
    const { issuer = instance.issuer, parts = {} } = question;
    writeFileSync(path('question.json'), JSON.stringify({ ...instance.trustedRoot, ...parts }));
    return run(
      ...[...command, '--insecure-ignore-tlog', '--use-signed-timestamps', '--bundle', path(bundle)],
      ...['--trusted-root', path('question.json'), '--certificate-identity', identity],
      ...['--certificate-oidc-issuer', issuer, path(artifact)],
    );
  }

  async function verifyOurselves(bundle: string): Promise<void> {
    verifySignature(
      {
        bundle: readBundle(await readFile(path(bundle), 'utf8')),
        artifact: ARTIFACT,
        trustedRoot: TrustedRoot.fromJSON(instance.trustedRoot),
      },
      { identity: new IdentityPattern(EMAIL), issuer: instance.issuer },
    );
  }

  test('signs with the signing configuration, and both verify it', async () => {
    expect(
      await sign('--signing-config', path('config.json'), '--bundle', path('theirs.json')),
    ).toMatchObject({
      ok: true,
    });
    expect(await verify('theirs.json')).toMatchObject({ ok: true });
    await verifyOurselves('theirs.json');
  });

  test('signs with URLs instead', async () => {
    const urls = ['--fulcio-url', instance.url, '--timestamp-server-url', `${instance.url}/api/v1/timestamp`];
    const how = ['--use-signing-config=false', ...urls, '--tlog-upload=false'];
    expect(await sign(...how, '--bundle', path('by-url.json'))).toMatchObject({ ok: true });
    expect(await verify('by-url.json')).toMatchObject({ ok: true });
  });

  test.each(['ecdsa-sha2-384-nistp384', 'ecdsa-sha2-512-nistp521', 'rsa-sign-pkcs1-2048-sha256'])(
    'signs with a key for %s',
    async (algorithm) => {
      const how = ['--signing-config', path('config.json'), '--signing-algorithm', algorithm];
      const bundle = `${algorithm}.json`;
      expect(await sign(...how, '--bundle', path(bundle))).toMatchObject({ ok: true });
      expect(await verify(bundle)).toMatchObject({ ok: true });
    },
  );

  test('verifies our signatures and attestations', async () => {
    expect(await verify('ours.json')).toMatchObject({ ok: true });
    const command = ['verify-blob-attestation', '--type', TYPE];
    expect(await verify('attestation.json', { command })).toMatchObject({ ok: true });
  });

  const failures: readonly (readonly [string, () => Question])[] = [
    ['the wrong identity', () => ({ identity: 'release@example.co' })],
    ['the wrong issuer', () => ({ issuer: stranger.issuer })],
    ['a tampered artifact', () => ({ artifact: 'other' })],
    [
      'a foreign root of the same name',
      () => ({ parts: { certificateAuthorities: stranger.trustedRoot.certificateAuthorities } }),
    ],
    ['another log', () => ({ parts: { ctlogs: stranger.trustedRoot.ctlogs } })],
    [
      'a foreign timestamp authority of the same name',
      () => ({ parts: { timestampAuthorities: stranger.trustedRoot.timestampAuthorities } }),
    ],
  ];
  test.each(failures)('refuses %s', async (_, question) => {
    expect(await verify('ours.json', question())).toMatchObject({
      ok: false,
      output: expect.stringContaining('Error'),
    });
  });
});
