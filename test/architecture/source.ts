// The source tree as data for the architecture tests: files, imports, folders.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', 'src');

export interface SourceFile {
  /** Relative to src, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Files of src that it imports. */
  readonly imports: readonly string[];
  /** Packages and node: modules that it imports. */
  readonly packages: readonly string[];
}

export function sourceFiles(): SourceFile[] {
  return readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8');
      const specifiers = [
        ...text.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'|import\('([^']+)'\)/gm),
      ].map(([, from, dynamic]) => from ?? dynamic ?? '');
      return {
        path,
        text,
        imports: specifiers
          .filter((s) => s.startsWith('.'))
          .map((s) => relative(ROOT, normalize(join(ROOT, dirname(path), s)))),
        packages: specifiers.filter((s) => !s.startsWith('.')),
      };
    });
}

/** The folder directly below src, or the file itself where it stands at the top. */
export const room = (path: string): string => path.split('/')[0] ?? path;

/** One circle in the graph as a path that returns to its start, or undefined. */
export function circle(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>();
  const visit = (node: string, trail: readonly string[]): string[] | undefined => {
    const at = trail.indexOf(node);
    if (at >= 0) return [...trail.slice(at), node];
    if (done.has(node)) return undefined;
    for (const next of edges.get(node) ?? []) {
      const found = visit(next, [...trail, node]);
      if (found !== undefined) return found;
    }
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const found = visit(node, []);
    if (found !== undefined) return found;
  }
  return undefined;
}
