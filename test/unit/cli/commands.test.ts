// Every command of the command line: its help, its exit codes, and that wrong use is told apart from what it finds.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Exit, run } from '../../fakes/process.ts';

/** Documents, or servers: their output is not a report. */
const WITHOUT_JSON = ['serve', 'dev', 'dev token', 'config schema'];
/** What the command line has to have. */
const WANTED = [
  ...[
    'init',
    'serve',
    'dev',
    'demo',
    'config check',
    'config show',
    'config schema',
    'issuer check',
    'inspect',
  ],
  ...[
    'ca show',
    'ca rotate',
    'log verify',
    'policy test',
    'explain',
    'trust export',
    'sign',
    'verify',
    'attest',
  ],
];

interface Help {
  readonly name: string;
  readonly help: Exit;
  readonly subcommands: readonly string[];
}

let folder: string;
let helps: readonly Help[];

const words = (name: string): string[] => name.split(' ').filter((word) => word !== '');
const ask = (name: string, ...args: string[]): Promise<Exit> =>
  run([...words(name), ...args], { cwd: folder });

async function helpOf(name: string): Promise<Help> {
  const help = await ask(name, '--help');
  const [, list = ''] = help.stdout.split('\nCommands:\n');
  const [block = ''] = list.split('\n\n');
  const subcommands = [...block.matchAll(/^ {2}([a-z]\S*)/gm)].flatMap(([, word = '']) =>
    word === 'help' ? [] : [word],
  );
  return { name, help, subcommands };
}

/** A few at a time. */
async function eachOf<T, R>(list: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < list.length; i += 4)
    results.push(...(await Promise.all(list.slice(i, i + 4).map(work))));
  return results;
}

async function tree(names: readonly string[]): Promise<readonly Help[]> {
  if (names.length === 0) return [];
  const level = await eachOf(names, helpOf);
  const below = level.flatMap(({ name, subcommands }) => subcommands.map((sub) => `${name} ${sub}`.trim()));
  return [...level, ...(await tree(below))];
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-commands-'));
  helps = await tree(['']);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

const leaves = (): readonly Help[] =>
  helps.filter(({ subcommands, name }) => subcommands.length === 0 || name === 'dev');

describe('commands', () => {
  it('are all there', () => {
    expect(leaves().map(({ name }) => name)).toEqual(expect.arrayContaining(WANTED));
  });

  it('have help, on standard output, with what it is for', () => {
    for (const { name, help } of helps) {
      expect([name, help.code, help.stderr]).toEqual([name, 0, '']);
      expect(help.stdout).toMatch(new RegExp(`^Usage: mayfly ?${name} `));
      expect(help.stdout.split('\n')[2]).toMatch(/^\S.{10,}/); // the description
    }
  });

  it('say what their exit codes mean, and take --json where they report', () => {
    for (const { name, help } of leaves()) {
      expect([name, /^Exit codes:/m.test(help.stdout)]).toEqual([name, true]);
      expect([name, help.stdout.includes('--json')]).toEqual([name, !WITHOUT_JSON.includes(name)]);
    }
  });

  it('end with 2 for a flag that is not there, say so, and do nothing', async () => {
    const ends = await eachOf(helps, async ({ name }) => [name, await ask(name, '--no-such-flag')] as const);
    for (const [name, { code, stdout, stderr }] of ends) {
      expect([name, code, stdout]).toEqual([name, 2, '']);
      expect([name, stderr]).toEqual([name, expect.stringMatching(/^error: /)]);
    }
  }, 120_000);

  it('that only group others end with 2 and show them', async () => {
    const groups = helps.filter(({ subcommands, name }) => subcommands.length > 0 && name !== 'dev');
    for (const { name, subcommands } of groups) {
      const { code, stdout, stderr } = await ask(name);
      expect([name, code, stdout]).toEqual([name, 2, '']);
      for (const sub of subcommands) expect(stderr).toContain(`  ${sub}`);
    }
    expect(await ask('', 'no-such-command')).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('with --json, what cannot be done is an object too', () => {
  it.each([
    ['config check', ['none.yaml']],
    ['config show', ['--config', 'none.yaml']],
    ['inspect', ['none.pem']],
    ['policy test', ['none.yaml']],
    ['explain', ['--token-file', 'none']],
    ['ca show', ['--config', 'none.yaml']],
    ['log fsck', ['--data', 'none']],
    ['issuer check', ['not a url']],
    ['issuer check', []],
    ['ca distrust', ['ca', '--since', 'yesterday']],
    ['issuer freeze', ['x', '--config', 'none.yaml']],
    ['verify', ['none', '--identity', 'x', '--issuer', 'https://x.example']],
    ['sign', ['none']],
    ['attest', ['none']],
    ['trust export', ['--instance', 'http://127.0.0.1:1']],
    ['demo', ['--instance', 'http://127.0.0.1:1', '--issuer', 'http://127.0.0.1:1']],
  ])('%s', async (name, args) => {
    const { code, stdout } = await ask(name, ...args, '--json');
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, message: expect.stringMatching(/\S/) });
  });
});
