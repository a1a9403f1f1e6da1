// Plain words: what a certificate says, as lines for a person; the sentence first, the fields after.

import { hex } from '../encoding/bytes.ts';
import { ATTRIBUTE_TITLES } from '../identity/attribute.ts';
import type { Leaf } from './leaf.ts';

/** Lines without line ends. Text from claims is shown with control characters escaped. */
export function describeLeaf(leaf: Leaf): string[] {
  const issuer = leaf.attributes.get(8) ?? leaf.attributes.get(1) ?? 'an unnamed issuer';
  const who = leaf.san?.value ?? 'an unnamed identity';
  const minutes = Math.round((leaf.notAfter - leaf.notBefore) / 60_000);
  const lines = [
    `${printable(who)}`,
    `  proved this identity with a token from ${printable(issuer)}`,
    `  and may sign with its key for ${minutes} minutes, from ${iso(leaf.notBefore)} to ${iso(leaf.notAfter)}.`,
    '',
    `  ${'Serial number'.padEnd(WIDTH)} ${hex(leaf.serial)}`,
  ];
  for (const [n, value] of leaf.attributes) {
    if (n === 1 || n === 8) continue;
    lines.push(`  ${(ATTRIBUTE_TITLES.get(n) ?? `Extension .${n}`).padEnd(WIDTH)} ${printable(value)}`);
  }
  return lines;
}

const WIDTH = 36;

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString().replace('.000Z', 'Z');

/** Claims are other people's text: nothing of it may steer a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16) ?? ''}}`);
}
