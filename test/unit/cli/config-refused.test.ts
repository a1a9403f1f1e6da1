import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { FREE_PORTS, run } from '../../fakes/process.ts';
import { newTlsIdentity } from '../../fakes/tls.ts';
import { CERTIFICATE } from '../config/read.ts';

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-refused-'));
  const [one, other] = await Promise.all([newTlsIdentity(), newTlsIdentity()]);
  writeFileSync(at('one.pem'), one.cert);
  writeFileSync(at('other.key'), other.key);
  writeFileSync(at('ca.pem'), CERTIFICATE);
  writeFileSync(at('not.pem'), '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

const ED25519 = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();

const check = (file: string, flags: readonly string[]) =>
  run(['config', 'check', file, ...flags], { cwd: folder });
const serve = (file: string, flags: readonly string[]) =>
  run(['serve', ...FREE_PORTS, '--config', file, ...flags], { cwd: folder });

function written(name: string, settings: object): string {
  const file = at(`${name.replaceAll(/\W/g, '-')}.yaml`);
  writeFileSync(file, stringify(settings));
  return file;
}

describe('what serve refuses of file and flags together is what check tells', () => {
  type Case = readonly [string, object, readonly string[], RegExp];
  test.each<Case>([
    [
      'role log and workers',
      { role: 'log', 'log-roots': { file: 'ca.pem' }, workers: 2 },
      [],
      /workers issue, and role log does not/,
    ],
    [
      'role log by a flag',
      { workers: 2 },
      ['--role', 'log', '--log-roots', 'ca.pem'],
      /workers issue, and role log does not/,
    ],
    ['role log without CAs', { role: 'log' }, [], /role log needs the CA certificates/],
    [
      'role log and a log',
      { role: 'log', log: 'none', 'log-roots': { file: 'ca.pem' } },
      [],
      /log has to stay builtin/,
    ],
    ['role ca without a log', { role: 'ca' }, [], /role ca needs to know the log/],
    [
      'role ca with a bucket',
      { role: 'ca', log: { s3: { bucket: 'logs' } } },
      [],
      /role ca needs to know the log/,
    ],
    ['workers in memory', { workers: 2 }, ['--ephemeral'], /workers need a data folder/],
    [
      'a log of another key',
      { log: { url: 'https://l.example', 'public-key': ED25519 } },
      [],
      /has to be P-256 or RSA/,
    ],
    [
      'TLS to a log',
      { log: { url: 'https://l.example', tls: { cert: { file: 'one.pem' }, key: { file: 'other.key' } } } },
      [],
      /the TLS certificates for https:\/\/l\.example cannot be used/,
    ],
    [
      'TLS',
      { tls: { certificate: 'one.pem', key: 'other.key' } },
      [],
      /the TLS files of REST .* cannot be used/,
    ],
    ['roots that are none', { role: 'log' }, ['--log-roots', 'not.pem'], /log-roots: /],
  ])('%s', async (name, settings, flags, words) => {
    const file = written(name, settings);
    const [checked, served] = await Promise.all([check(file, flags), serve(file, flags)]);
    const sentence = served.stderr.trim().split('\n').at(-1)?.replace('mayfly: ', '') ?? '';
    expect(sentence).toMatch(words);
    const contradicts = /^(?:role|workers) /.test(sentence); // else it is about what a file holds
    expect([checked.code, served.code]).toEqual([1, contradicts ? 78 : 1]);
    expect(checked.stdout).toContain(sentence);
    expect(checked.stdout).toMatch(/\n1 mistake\n$/);
  });
});

test('every refusal is told at once, with the line of its key', async () => {
  const file = written('many', {
    role: 'ca',
    log: 'builtin',
    workers: 2,
    tls: { certificate: 'one.pem', key: 'other.key' },
  });
  const { code, stdout } = await check(file, ['--ephemeral']);
  expect(code).toBe(1);
  for (const words of [
    /:2: log: role ca needs/,
    /:3: workers need/,
    /:4: tls: the TLS files/,
    /\n3 mistakes\n$/,
  ])
    expect(stdout).toMatch(words);
});

test('flags can make it right', async () => {
  const file = written('right', { role: 'ca', workers: 2 });
  expect(await check(file, ['--log', 'none'])).toMatchObject({ code: 0 });
  expect(await check(file, ['--role', 'all'])).toMatchObject({ code: 0 });
  expect(await check(file, ['--role', 'log', '--workers', '1', '--log-roots', 'ca.pem'])).toMatchObject({
    code: 0,
  });
  const twice = await check(file, ['--config', file]);
  expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('named once')]);
});
