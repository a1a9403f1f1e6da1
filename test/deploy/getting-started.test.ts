// docs/getting-started.md, run: its blocks of shell in their order, on free ports, in an empty folder.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { COMPILED, MAIN, type RunningProcess, start } from '../fakes/process.ts';
import { freePort } from '../fakes/redis.ts';
import { temporary } from './container.ts';

const PAGE = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'getting-started.md'), 'utf8');
/** Those marked `terminal` keep a terminal of their own until the next of them. */
const BLOCKS = [...PAGE.matchAll(/^```sh( terminal)?\n([\s\S]*?)^```$/gm)].map(([, terminal, text = '']) => ({
  terminal: terminal !== undefined,
  text,
}));

const folder = temporary('getting-started');
let terminal: RunningProcess | undefined;
afterEach(() => void terminal?.child.kill('SIGKILL'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('every command does what the page says, with exit code 0', async () => {
  expect(BLOCKS.filter((block) => block.terminal)).toHaveLength(2);
  const bin = join(folder, 'bin');
  const cwd = join(folder, 'empty');
  mkdirSync(bin);
  mkdirSync(cwd);
  writeFileSync(join(bin, 'mayfly'), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  chmodSync(join(bin, 'mayfly'), 0o755);
  const [port, issuer] = [await freePort(), await freePort()];
  const moved = (text: string): string =>
    text
      .replaceAll('5555', String(port))
      .replaceAll('5556', String(issuer))
      .replace('dev token', `dev token --issuer http://127.0.0.1:${issuer}`);
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env['PATH']}`,
    MAYFLY_INSTANCE: `http://127.0.0.1:${port}`,
    NODE_COMPILE_CACHE: COMPILED,
  };
  for (const block of BLOCKS) {
    if (block.terminal) {
      await terminal?.stop('SIGINT'); // Ctrl-C
      const [, ...words] = block.text.trim().split(' ');
      const ports = ['--port', String(port), '--grpc-port', '0', '--metrics-port', '0'];
      const more = words[0] === 'dev' ? ['--issuer-port', String(issuer)] : [];
      terminal = start([...words, ...ports, ...more], { cwd });
      await terminal.saying(/is ready at|"msg":"ready"/);
    } else {
      const { status, stdout, stderr } = spawnSync('sh', ['-exc', moved(block.text)], {
        cwd,
        env,
        encoding: 'utf8',
        timeout: 60_000,
      });
      expect({ block: block.text, status, output: status === 0 ? '' : stdout + stderr }).toEqual({
        block: block.text,
        status: 0,
        output: '',
      });
    }
  }
  expect((await terminal?.stop('SIGINT'))?.code).toBe(0);
}, 180_000);
