// The release: what deploy/npm/release.sh makes, installed in an empty folder as anybody would, and its bill of materials.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ownEnvironment, temporary } from './container.ts';
import { copyOfPackage } from './package.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const folder = temporary('release');
const release = join(folder, 'release');
const script = join(copyOfPackage(join(folder, 'clone')), 'deploy', 'npm', 'release.sh');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (suffix: string): Buffer => {
  const name = readdirSync(release).find((one) => one.endsWith(suffix));
  if (name === undefined) throw new Error(`no ${suffix} in the release`);
  return readFileSync(join(release, name));
};

beforeAll(() => {
  execFileSync(script, [release], { stdio: 'pipe' });
}, 180_000);

describe('the release', () => {
  test('is made in an empty folder only, with digests that fit', () => {
    const { status, stderr } = spawnSync(script, [release], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([1, expect.stringContaining('is not empty')]);
    const sums = read('SHA256SUMS').toString().trim().split('\n');
    for (const line of sums) {
      const [digest = '', name = ''] = line.split('  ');
      expect(createHash('sha256').update(read(name)).digest('hex')).toBe(digest);
    }
    expect(sums).toHaveLength(readdirSync(release).length - 1);
  });

  const lock = z
    .object({
      packages: z.record(
        z.string(),
        z.object({
          version: z.string().optional(),
          dev: z.boolean().optional(),
          link: z.boolean().optional(),
        }),
      ),
    })
    .parse(JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')));
  /** What is served with, as name@version. */
  const served = Object.entries(lock.packages)
    .filter(([path, { dev, link }]) => path.startsWith('node_modules/') && dev !== true && link !== true)
    .map(([path, { version }]) => `${path.split('node_modules/').at(-1)}@${version}`);
  const inOrder = (names: readonly string[]): readonly string[] => [...new Set(names)].toSorted();

  test('has a CycloneDX bill of exactly what the lock file installs, each with its digest', () => {
    const bom = z
      .object({
        bomFormat: z.literal('CycloneDX'),
        metadata: z.object({ component: z.object({ name: z.string(), purl: z.string() }) }),
        components: z.array(
          z.object({
            name: z.string(),
            version: z.string(),
            hashes: z.array(z.object({ alg: z.literal('SHA-512'), content: z.string().length(128) })).min(1),
          }),
        ),
      })
      .parse(JSON.parse(read('.cdx.json').toString()));
    expect(bom.metadata.component).toMatchObject({
      name: 'mayfly',
      purl: expect.stringMatching(/npm\/mayfly@/),
    });
    expect(inOrder(bom.components.map(({ name, version }) => `${name}@${version}`))).toEqual(inOrder(served));
    expect(served.length).toBeGreaterThan(30);
  });

  test('has an SPDX bill of the same', () => {
    const bom = z
      .object({
        spdxVersion: z.literal('SPDX-2.3'),
        packages: z.array(z.object({ name: z.string(), versionInfo: z.string() })),
      })
      .parse(JSON.parse(read('.spdx.json').toString()));
    const names = bom.packages.map(({ name, versionInfo }) => `${name}@${versionInfo}`);
    expect(inOrder(names.filter((name) => !name.startsWith('mayfly@')))).toEqual(inOrder(served));
  });

  test('installs in an empty folder, and issues a certificate there', () => {
    const at = join(folder, 'empty');
    mkdirSync(at);
    writeFileSync(join(at, 'package.json'), '{"private":true}');
    const tarball = readdirSync(release).find((name) => name.endsWith('.tgz')) ?? '';
    // The tests' own Node, as the package is for Node 24 and later.
    const env = { ...ownEnvironment(), PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
    const words = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--omit=optional'];
    execFileSync('npm', [...words, join(release, tarball)], { cwd: at, env, stdio: 'pipe' });
    const { status, stdout, stderr } = spawnSync(join(at, 'node_modules', '.bin', 'mayfly'), ['demo'], {
      cwd: at,
      env,
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('and it is there: recomputed from its tiles');
    expect(readdirSync(at).toSorted()).toEqual(['node_modules', 'package-lock.json', 'package.json']);
  }, 240_000);
});
