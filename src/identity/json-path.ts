// JSON path: $.a.b, $['a'] and $.a[0], the plain paths of RFC 9535 that `issuer-claim` takes.

import { type Claims, type ClaimValue, member } from '../token/claims.ts';

const STEP = /\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^'\\]+)'\]|\["([^"\\]+)"\]|\[(0|[1-9][0-9]{0,5})\]/y;

export type JsonPath = readonly (string | number)[];

/** Undefined for anything that is no plain path: wildcards, filters, slices, `..`, or `$` alone. */
export function parseJsonPath(text: string): JsonPath | undefined {
  if (!text.startsWith('$')) return undefined;
  const steps: (string | number)[] = [];
  for (let at = 1; at < text.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const found = STEP.exec(text);
    if (found === null) return undefined;
    const [, dotted, single, double, index] = found;
    steps.push(index === undefined ? (dotted ?? single ?? double ?? '') : Number(index));
  }
  return typeof steps[0] === 'string' ? steps : undefined;
}

export function readJsonPath([top, ...rest]: JsonPath, claims: Claims): ClaimValue | undefined {
  return rest.reduce<ClaimValue | undefined>(
    (value, step) =>
      typeof step === 'string' ? member(value, step) : Array.isArray(value) ? value[step] : undefined,
    typeof top === 'string' ? claims.get(top) : undefined,
  );
}
