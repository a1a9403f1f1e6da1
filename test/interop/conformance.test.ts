// The conformance cases of Fulcio, by a runner that knows nothing of Mayfly, where they stand beside the project.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMPILED, MAIN } from '../fakes/process.ts';

const EDGE = new URL('../../deploy/workers/dev.ts', import.meta.url).pathname;

const RUNNER = new URL('../../../shared/conformance/run_cases.mjs', import.meta.url).pathname;
const COMMANDS = [
  [
    'Node',
    `${process.execPath} ${MAIN} serve --config {config} --host 127.0.0.1 --port {port} --grpc-port {grpcPort} ` +
      '--metrics-port {metricsPort} --log {ctlog} --client-signing-algorithms {algs} --ephemeral --limits off',
  ],
  [
    'workerd',
    `${process.execPath} ${EDGE} --config {config} --port {port} --log {ctlog} ` +
      '--client-signing-algorithms {algs} --limits off',
  ],
] as const;

interface Result {
  readonly id: string;
  readonly ok: boolean;
  readonly problems: readonly string[];
}

test.skipIf(!existsSync(RUNNER)).each(COMMANDS)(
  'every case of ../shared/conformance passes on %s',
  { timeout: 300_000 },
  async (_, command) => {
    const folder = mkdtempSync(join(tmpdir(), 'mayfly-conformance-'));
    try {
      const report = join(folder, 'report.json');
      const runner = spawn(process.execPath, [RUNNER, '--cmd', command, '--report', report], {
        env: { ...process.env, NODE_OPTIONS: '', NODE_COMPILE_CACHE: COMPILED },
        stdio: 'ignore',
      });
      const code = await new Promise((resolve) => runner.on('close', resolve));
      const parsed: unknown = JSON.parse(readFileSync(report, 'utf8'));
      const results = (Array.isArray(parsed) ? parsed : (parsed as { results: unknown }).results) as Result[];
      expect(results.filter(({ ok }) => !ok)).toEqual([]);
      expect(results.length).toBeGreaterThanOrEqual(52);
      expect(code).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
