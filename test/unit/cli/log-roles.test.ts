import { mkdirSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadSettings, type ServeFlags } from '../../../src/cli/options.ts';
import type { Settings } from '../../../src/config/settings.ts';
import { encodePem } from '../../../src/encoding/pem.ts';
import { send } from '../../fakes/client.ts';
import { FREE_PORTS, run, start } from '../../fakes/process.ts';
import { hierarchy } from '../log/precertificates.ts';
import { p256Signer, temporaryFolder } from '../log/support.ts';

const folder = temporaryFolder();
const [a, b, token, roots] = ['a.pem', 'b.pem', 'token', 'roots.pem'].map((name) => `${folder}/${name}`) as [
  string,
  string,
  string,
  string,
];
const keys = [p256Signer().pem, p256Signer().pem] as const;

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(a, keys[0]);
  writeFileSync(b, keys[1]);
  writeFileSync(token, 'a-token-for-submissions\n');
  writeFileSync(roots, encodePem('CERTIFICATE', hierarchy().root.der));
});

const settingsOf = (flags: ServeFlags): Settings => loadSettings(flags).settings;

describe('the flags of logging', () => {
  it('name logs with commas, and their keys in the same order', () => {
    expect(
      settingsOf({ log: 'https://a.example/x,http://b.example', logPublicKey: `${a},${b}` }).log,
    ).toEqual({
      kind: 'remote',
      logs: [
        { url: 'https://a.example/x', publicKey: keys[0] },
        { url: 'http://b.example', publicKey: keys[1] },
      ],
    });
    expect(settingsOf({ log: 'https://a.example/?x=1,2' }).log).toEqual({
      kind: 'remote',
      logs: [{ url: 'https://a.example/?x=1,2' }],
    });
  });

  it('name role, CAs and tokens', () => {
    expect(settingsOf({ role: 'log', logRoots: roots, logBearerFile: token })).toMatchObject({
      role: 'log',
      logRoots: expect.stringContaining('BEGIN CERTIFICATE'),
      logBearers: ['a-token-for-submissions'],
      log: { kind: 'builtin' },
    });
  });

  it.each<[string, ServeFlags, string]>([
    ['a log that is none', { log: 'example.com' }, 'takes builtin, none'],
    ['more keys than logs', { log: 'https://a.example', logPublicKey: `${a},${b}` }, '2 files for 1 logs'],
    ['a file that holds no token', { logBearerFile: `${folder}/short` }, 'a token of at least 16 characters'],
  ])('are refused with %s', (_, flags, message) => {
    writeFileSync(`${folder}/short`, 'short\n');
    expect(() => settingsOf(flags)).toThrow(message);
  });
});

describe('mayfly serve', () => {
  it('--role log runs a log, and ends when it is told to', async () => {
    const args = ['serve', ...FREE_PORTS, '--ephemeral', '--role', 'log', '--log-roots', roots];
    const running = start([...args, '--log-bearer-file', token]);
    const [line] = await running.saying(/^\{.*"msg":"ready"\}$/m);
    const ready = JSON.parse(line) as { readonly url: string; readonly log: string };
    expect(ready.log).toBe(`${ready.url}/log/`);
    const document = (await send(ready.url, '/.well-known/mayfly/log.json')).json;
    expect(document).toMatchObject({ monitoring_url: ready.log, submission_url: ready.log });
    const body = '{"chain": []}';
    expect((await send(ready.url, '/log/ct/v1/add-pre-chain', { method: 'POST', body })).status).toBe(401);
    const { code } = await running.stop();
    expect(code).toBe(0);
    expect(running.output.stderr).not.toContain('a-token-for-submissions');
  });

  it('--role ca asks for a log', async () => {
    const { code, stderr } = await run(['serve', ...FREE_PORTS, '--ephemeral', '--role', 'ca']);
    expect([code, stderr]).toEqual([78, expect.stringContaining('role ca needs to know the log')]);
  });
});

it.each<[string, object, string]>([
  [
    'of role log',
    { role: 'log', 'log-roots': { file: roots } },
    'start another with a data folder of its own',
  ],
  ['elsewhere', { log: 'https://log.example.com' }, 'name the next one under log'],
])('a log %s is not rotated, and it is said what to do instead', async (_, settings, words) => {
  const config = `${folder}/rotated.yaml`;
  writeFileSync(config, JSON.stringify(settings));
  const { code, stderr } = await run(['log', 'rotate', '--config', config]);
  expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
});
