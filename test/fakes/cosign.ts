// cosign: the client built from its published source, once; that takes many minutes, so only the full tests begin it.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isInstalled } from './skip.ts';

const VERSION = 'v3.1.3';
const FOLDER = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', `cosign-${VERSION}`);

/** Why there may be none, for the line that says what was skipped. */
export const HOW = `go, and the full tests once (go install github.com/sigstore/cosign/v3/cmd/cosign@${VERSION}), or MAYFLY_COSIGN=PATH`;

/** The program, built if this is a full run; undefined where it may not be had. */
export function findCosign(): string | undefined {
  const given = process.env['MAYFLY_COSIGN'];
  if (given !== undefined) return given;
  const built = join(FOLDER, 'cosign');
  if (existsSync(built)) return built;
  if (process.env['MAYFLY_TESTS_FULL'] === undefined || !isInstalled('go')) return undefined;
  try {
    execFileSync('go', ['install', `github.com/sigstore/cosign/v3/cmd/cosign@${VERSION}`], {
      env: { ...process.env, GOBIN: FOLDER },
      stdio: 'pipe',
    });
    return built;
  } catch {
    return undefined; // no network, or a Go that is too old
  }
}
