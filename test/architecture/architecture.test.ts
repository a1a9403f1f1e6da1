// What the house promises about its own structure (docs/architecture.md).

import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { circle, room, sourceFiles } from './source.ts';

const files = sourceFiles();
const RUNTIMES = ['node', 'cli', 'client', 'redis', 's3', 'workers'];
const MINTED = [
  'VerifiedToken',
  'Identity',
  'Authorization',
  'Binding',
  'Admission',
  'Draft',
  'Precertificate',
  'Certificate',
];

function graph(key: (path: string) => string): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const { path, imports } of files) {
    const from = key(path);
    const out = edges.get(from) ?? new Set();
    for (const target of imports) if (key(target) !== from) out.add(key(target));
    edges.set(from, out);
  }
  return edges;
}

describe('imports', () => {
  test('no circle between files', () => {
    expect(circle(graph((path) => path))).toBeUndefined();
  });

  test('no circle between folders', () => {
    expect(circle(graph(room))).toBeUndefined();
  });

  test('no circle between the folders of node', () => {
    const folder = (path: string): string => (path.startsWith('node/') ? dirname(path) : room(path));
    expect(circle(graph(folder))).toBeUndefined();
  });

  test('the core imports neither a runtime nor node: modules', () => {
    const core = files.filter(({ path }) => !RUNTIMES.includes(room(path)));
    const wrong = core.flatMap(({ path, imports, packages }) => [
      ...imports.filter((i) => RUNTIMES.includes(room(i))).map((i) => `${path} -> ${i}`),
      ...packages.filter((p) => p.startsWith('node:') || p === 'ioredis').map((p) => `${path} -> ${p}`),
    ]);
    expect(wrong).toEqual([]);
  });

  test('every import names a file that exists', () => {
    const all = new Set(files.map(({ path }) => path));
    const dangling = files.flatMap(({ path, imports }) =>
      imports.filter((i) => !all.has(i) && !i.endsWith('.json')).map((i) => `${path} -> ${i}`),
    );
    expect(dangling).toEqual([]);
  });
});

describe('minted proofs', () => {
  test.each(MINTED)('%s is a class with a private constructor and a #private field, in one file', (name) => {
    const homes = files.filter(({ text }) => new RegExp(`^export class ${name}\\b`, 'm').test(text));
    expect(homes.map(({ path }) => path)).toHaveLength(1);
    const body = homes[0]?.text.split(`export class ${name}`)[1] ?? '';
    expect(body).toMatch(/^\s+private constructor\(/m);
    expect(body).toMatch(/^\s+readonly #|^\s+#/m);
  });

  test('nothing is cast to one', () => {
    const cast = new RegExp(`\\bas (?:unknown as )?(?:readonly )?(?:${MINTED.join('|')})\\b`);
    expect(files.filter(({ text }) => cast.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

test('object identifiers live in oid.ts alone', () => {
  const dotted = /['"`](?:1\.3\.6\.1|1\.2\.840|2\.5\.29|2\.16\.840)\.[\d.]+['"`]/;
  const wrong = files
    .filter(({ path, text }) => path !== 'oid.ts' && dotted.test(text))
    .map(({ path }) => path);
  expect(wrong).toEqual([]);
});

test('every file opens with the sentence that defines its noun', () => {
  const silent = files.filter(({ text }) => !/^(?:#!.*\n)?\/\/ \S.{10,}/.test(text)).map(({ path }) => path);
  expect(silent.filter((path) => !path.includes('generated'))).toEqual([]);
});
