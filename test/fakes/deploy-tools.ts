// Deploy tools: helm, and the readers of manifests and compose files in test/interop/deploy-go, built from locked modules.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const MODULE = new URL('../interop/deploy-go', import.meta.url).pathname;

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DeployTools {
  helm(...args: readonly string[]): Ran;
  /** The objects of a YAML stream. Throws what Kubernetes' own types refuse. */
  manifests(yaml: string): readonly unknown[];
  /** A compose file with its defaults. Throws what Docker's loader refuses. */
  compose(file: string): unknown;
}

/** Builds into `folder`; the first time takes minutes. */
export function buildDeployTools(folder: string): DeployTools {
  const env = { ...process.env, GOTOOLCHAIN: 'local' };
  for (const [name, path] of [
    ['helm', 'helm.sh/helm/v3/cmd/helm'],
    ['deploy-check', '.'],
  ] as const)
    must(spawnSync('go', ['build', '-o', join(folder, name), path], { cwd: MODULE, env, encoding: 'utf8' }));
  const check = (args: readonly string[], input?: string): string =>
    must(
      spawnSync(join(folder, 'deploy-check'), args, {
        encoding: 'utf8',
        ...(input !== undefined && { input }),
      }),
    );
  return {
    helm: (...args) => spawnSync(join(folder, 'helm'), args, { encoding: 'utf8' }),
    manifests: (yaml) =>
      check(['manifests'], yaml)
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    compose: (file) => JSON.parse(check(['compose', file])),
  };
}

function must({ status, stdout, stderr }: Ran): string {
  if (status !== 0) throw new Error(stderr);
  return stdout;
}
