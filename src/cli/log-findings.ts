// Log findings: what is wrong with a log, as lines for people.

import { printable } from '../certificate/plain-words.ts';
import type { Finding } from '../log/fsck.ts';

/** More than anybody reads; all are there with --json. */
const MOST = 50;

export function findingLines(findings: readonly Finding[]): string[] {
  const lines = findings.slice(0, MOST).map(({ where, what }) => `${printable(where)}: ${printable(what)}`);
  if (findings.length > MOST) lines.push(`and ${findings.length - MOST} more (--json lists them all)`);
  return lines;
}
