// Container: what a deployment file gives to a container (words, files, names of other machines), given to a process here.

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FREE_PORTS, type RunningServer, start } from '../fakes/process.ts';

/** As a person's shell has it: without what npm and a test runner add for the programs that they start. */
export function ownEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle|command|execpath|node_execpath)|NODE_OPTIONS|VITEST|NODE_ENV)/.test(name),
  );
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  return { ...Object.fromEntries(kept), PATH: path.join(':') };
}

/** What stands here for what is there: paths of mounts, and addresses of other containers. */
export type Translation = ReadonlyMap<string, string>;

export const temporary = (name: string): string => mkdtempSync(join(tmpdir(), `mayfly-${name}-`));

/** The longest first, as one mount may lie in another. */
export function translate(text: string, translation: Translation): string {
  const pairs = [...translation].toSorted(([a], [b]) => b.length - a.length);
  return pairs.reduce((so, [there, here]) => so.replaceAll(there, here), text);
}

/** A folder as Kubernetes makes one of a ConfigMap or Secret: its files are links through `..data`, swapped as one. */
export function writeVolume(folder: string, files: ReadonlyMap<string, string>): void {
  const before = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => name.startsWith('..20'));
  const stamp = `..20${before.length}`;
  for (const [path, text] of files) {
    const file = join(folder, stamp, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: 0o600 });
  }
  symlinkSync(stamp, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  if (before.length > 0) return;
  for (const top of new Set([...files.keys()].map((path) => path.split('/')[0] ?? path)))
    symlinkSync(join('..data', top), join(folder, top));
}

/** Copies the text files of a folder, translated. */
export function translated(from: string, to: string, translation: Translation): string {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from))
    writeFileSync(join(to, name), translate(readFileSync(join(from, name), 'utf8'), translation));
  return to;
}

/** `mayfly` with a container's words, on free ports of the loopback, once it is ready. */
export async function serveAs(words: readonly string[], translation: Translation): Promise<RunningServer> {
  const here = words.map((word) => translate(word, translation));
  const started = start([...here, ...FREE_PORTS, '--host', '127.0.0.1', '--metrics-host', '127.0.0.1']);
  const [line] = await started.saying(/^\{.*"msg":"ready"\}$/m);
  const { url, metrics } = JSON.parse(line) as { url: string; metrics: string };
  return { ...started, url, metricsUrl: metrics };
}
