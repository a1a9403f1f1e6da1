// Worker build: the bundle that wrangler would upload, and its size.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WRANGLER = join(ROOT, 'node_modules/wrangler/bin/wrangler.js');

/** Bytes of the bundle after gzip; the platform allows more, but what is small starts fast. */
export const SIZE_LIMIT = 500_000;

export interface WorkerBuild {
  readonly bytes: number;
  readonly gzipBytes: number;
}

/** Builds into `folder` from the configuration at `settings`. Rejects with what wrangler said where it cannot. */
export async function buildWorker(settings: string, folder: string): Promise<WorkerBuild> {
  const args = [
    'deploy',
    '--dry-run',
    '--config',
    'deploy/workers/wrangler.jsonc',
    '--outdir',
    resolve(folder),
  ];
  await promisify(execFile)(process.execPath, [WRANGLER, ...args], {
    cwd: ROOT,
    env: { ...process.env, MAYFLY_CONFIG: settings, WRANGLER_SEND_METRICS: 'false' },
  });
  const bundle = readFileSync(join(folder, 'main.js'));
  return { bytes: bundle.length, gzipBytes: gzipSync(bundle).length };
}

export const sizeSentence = ({ bytes, gzipBytes }: WorkerBuild): string =>
  `The Worker has ${kilobytes(bytes)}, ${kilobytes(gzipBytes)} after gzip; ${kilobytes(SIZE_LIMIT)} are allowed.`;

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;

/** The operator's own file beside wrangler.jsonc, otherwise the shipped one. */
export function settingsFile(): string {
  const own = fileURLToPath(new URL('mayfly.yaml', import.meta.url));
  return process.env['MAYFLY_CONFIG'] ?? (existsSync(own) ? own : join(ROOT, 'config/mayfly.yaml'));
}
