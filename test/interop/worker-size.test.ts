import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildWorker, SIZE_LIMIT, sizeSentence } from '../../deploy/workers/worker-build.ts';

const SHIPPED = new URL('../../config/mayfly.yaml', import.meta.url).pathname;

it('the Worker stays under 500 kB after gzip', { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-worker-'));
  try {
    const build = await buildWorker(SHIPPED, folder);
    console.info(sizeSentence(build));
    expect(build.gzipBytes).toBeLessThan(SIZE_LIMIT);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
