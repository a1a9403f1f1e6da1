// S3 for tests: a real versitygw over a throw-away folder, on loopback.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './redis.ts';

/** The tests that use it are `describeWith('go', ...)`: the first of them builds it, later ones find it here. */
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mayfly-tests');
const VERSION = 'v1.8.0';
const PROGRAM = join(CACHE, `versitygw-${VERSION}`, 'versitygw');

export interface S3Server {
  readonly port: number;
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Where the objects lie as files. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** Builds versitygw unless it is there; the first time takes minutes. */
export function buildVersitygw(): void {
  if (existsSync(PROGRAM)) return;
  const bin = join(CACHE, `versitygw-${VERSION}`);
  mkdirSync(bin, { recursive: true });
  const { status, stderr } = spawnSync(
    'go',
    ['install', `github.com/versity/versitygw/cmd/versitygw@${VERSION}`],
    { env: { ...process.env, GOBIN: bin, GOTOOLCHAIN: 'local' }, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`versitygw cannot be built: ${stderr}`);
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Resolves once it answers. */
export async function startS3(): Promise<S3Server> {
  buildVersitygw();
  const root = mkdtempSync(join(tmpdir(), 'mayfly-s3-'));
  const folder = join(root, 'objects');
  const bucket = 'mayfly';
  mkdirSync(join(folder, bucket), { recursive: true });
  const port = await freePort();
  const credentials = { accessKeyId: 'test-access', secretAccessKey: 'test-secret-of-no-one' };
  const child = spawn(
    PROGRAM,
    [
      '--port',
      `127.0.0.1:${port}`,
      '--access',
      credentials.accessKeyId,
      '--secret',
      credentials.secretAccessKey,
      '--health',
      '/health',
      '--keep-alive',
      '--quiet',
      'posix',
      folder,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  running.add(child);
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-10_000);
  });
  const gone = new Promise<void>((resolve) =>
    child.once('exit', () => {
      running.delete(child);
      resolve();
    }),
  );
  const endpoint = `http://127.0.0.1:${port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`versitygw went with ${child.exitCode}: ${said}`);
    if (
      await fetch(`${endpoint}/health`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    port,
    endpoint,
    bucket,
    region: 'us-east-1',
    credentials,
    folder: join(folder, bucket),
    stop: async () => {
      child.kill('SIGKILL');
      await gone;
      rmSync(root, { recursive: true, force: true });
    },
  };
}
