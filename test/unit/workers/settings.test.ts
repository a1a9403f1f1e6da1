// The Worker's settings: what the build takes along, what the environment lays over it, and what has no place there.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bundleSettings, bundleText } from '../../../deploy/workers/settings-bundle.ts';
import { loadKinds } from '../../../src/node/settings/shipped-configuration.ts';
import { decodeKinds, encodeKinds } from '../../../src/workers/kinds-wire.ts';
import { readBundle, withOverrides } from '../../../src/workers/settings.ts';
import type { Overrides } from '../../../src/workers/variables.ts';
import { CERTIFICATE } from '../config/read.ts';

const folder = mkdtempSync(join(tmpdir(), 'mayfly-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const settingsOf = (text: string, overrides: Overrides = {}) =>
  withOverrides(readBundle(bundleText('mayfly.yaml', text).bundle), {
    PUBLIC_URL: 'https://mayfly.example.org',
    ...overrides,
  });

describe('the bundle', () => {
  it('brings along the files that the configuration names, and no others', () => {
    const jwks = file('keys.json', '{"keys":[{"kty":"EC","crv":"P-256","x":"x","y":"y"}]}');
    file('other.json', '{}');
    const config = file(
      'mayfly.yaml',
      `issuers:\n  - { issuer-url: https://idp.test, audiences: [a], type: email, jwks: { file: ${jwks} } }\n`,
    );
    const { bundle } = bundleSettings(config);
    expect(Object.keys(bundle.files)).toEqual([jwks]);
    rmSync(jwks);
    expect(readBundle(bundle).issuers[0]?.issuer.jwks?.keys).toHaveLength(1);
  });

  it('is not made from a file with mistakes', () => {
    expect(() => bundleText('mayfly.yaml', 'prot: 1\nlog: maybe\n')).toThrow(
      /mayfly\.yaml:1: prot.*\n.*mayfly\.yaml:2: log/s,
    );
  });

  const bearer = file('bearer', 'a-token-of-at-least-sixteen-characters\n');
  const headers = file('headers.txt', 'X-Api-Key: hush\n');
  const certificate = file('tls.pem', CERTIFICATE);
  const key = file('tls-key.pem', '-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n');
  it.each([
    ['log-bearer', `log-bearer: { file: ${bearer} }`],
    ['log.bearer', `log: { url: https://log.test, bearer: { file: ${bearer} } }`],
    ['explain.bearer', `explain: { bearer: { file: ${bearer} } }`],
    [
      'rate-limits',
      `rate-limits: { backend: redis, redis-url: redis://r.test, redis-password: { file: ${bearer} } }`,
    ],
    ['rate-limits', 'rate-limits: { backend: redis, redis-url: "redis://me:hush@r.test" }'],
    ['tracing.headers', `tracing: { endpoint: "http://127.0.0.1:4318", headers: { file: ${headers} } }`],
    ['tls.key', `tls: { certificate: ${certificate}, key: ${key} }`],
    ['grpc-tls-key', `grpc-tls-certificate: ${certificate}\ngrpc-tls-key: ${key}`],
    [
      'log.tls.key',
      `log: { url: https://log.test, tls: { cert: { file: ${certificate} }, key: { file: ${key} } } }`,
    ],
  ])('takes no secret along: %s', (path, text) => {
    expect(() => bundleText('mayfly.yaml', text)).toThrow(`${path}: what is secret there would stand in`);
  });

  it('says what Workers do not have', () => {
    const text = `
rate-limits: { backend: redis, redis-url: redis://r.test }
ca: { chain: a.pem, key: b.pem }
audit: { file: audit.log, required: true }
`;
    expect(bundleText('mayfly.yaml', text).warnings.map(({ path }) => path)).toEqual([
      'rate-limits.backend',
      'ca',
      'audit.file',
      'audit.required',
    ]);
  });

  it('says whose private CA cannot be used', () => {
    const ca = file('ca.pem', CERTIFICATE);
    const issuer = `{ name: inside, issuer-url: https://idp.test, audiences: [a], type: email, ca-cert: { file: ${ca} } }`;
    expect(bundleText('mayfly.yaml', `issuers:\n  - ${issuer}\n`).warnings).toMatchObject([
      { path: 'ca-cert', message: expect.stringContaining('give the keys of inside as jwks') },
    ]);
  });
});

describe('the environment', () => {
  it('replaces what the file says', () => {
    const settings = settingsOf('log: none\nerrors: terse\n', {
      LOG: 'https://log.test',
      LIMITS: 'off',
      CLIENT_SIGNING_ALGORITHMS: 'ed25519,ecdsa-sha2-256-nistp256',
      FROZEN_ISSUERS: 'one, https://two.test',
      EXPLAIN_BEARERS: 'a\nb\n',
    });
    expect(settings).toMatchObject({
      publicUrl: 'https://mayfly.example.org',
      errors: 'terse',
      log: { kind: 'remote', logs: [{ url: 'https://log.test' }] },
      limits: { enabled: false },
      clientSigningAlgorithms: ['ed25519', 'ecdsa-sha2-256-nistp256'],
      explainBearers: ['a', 'b'],
    });
    expect([...(settings.frozen ?? [])]).toEqual(['one', 'https://two.test']);
  });

  it('may say nothing but the address', () => {
    const settings = settingsOf('public-url: https://file.test\n', { PUBLIC_URL: 'https://env.test/' });
    expect(settings).toMatchObject({
      publicUrl: 'https://env.test',
      log: { kind: 'builtin' },
      limits: { enabled: true },
    });
    expect(
      withOverrides(readBundle(bundleText('m', 'public-url: https://file.test').bundle), {}),
    ).toMatchObject({ publicUrl: 'https://file.test' });
  });

  it.each<readonly [string, Overrides, RegExp]>([
    ['no address', { PUBLIC_URL: 'nowhere' }, /public-url, or the variable PUBLIC_URL/],
    ['LOG', { LOG: 'ftp://log.test' }, /LOG takes/],
    ['LIMITS', { LIMITS: 'maybe' }, /LIMITS takes on or off/],
    ['an algorithm', { CLIENT_SIGNING_ALGORITHMS: 'md5' }, /no client signing algorithm is called "md5"/],
  ])('is held to what can be: %s', (_, overrides, message) => {
    expect(() => settingsOf('', overrides)).toThrow(message);
  });

  it('has no Worker in the log role', () => {
    expect(() => bundleText('mayfly.yaml', 'role: log\n')).toThrow(/role log is for Node/);
  });
});

it('kinds arrive as they were read', () => {
  const kinds = loadKinds();
  expect(decodeKinds(encodeKinds(kinds))).toEqual(kinds);
});
