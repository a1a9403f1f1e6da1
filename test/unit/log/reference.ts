// A second Merkle tree, recursive and straight from RFC 6962 section 2.1; shares nothing with src/log.

import { createHash } from 'node:crypto';

type Hash = Uint8Array<ArrayBuffer>;

const h = (...parts: Uint8Array[]): Hash =>
  new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());

function split(n: number): number {
  let k = 1;
  while (k << 1 < n) k <<= 1;
  return k;
}

/** MTH(D[n]) */
export function mth(d: readonly Uint8Array[]): Hash {
  const [only] = d;
  if (only === undefined) return h();
  if (d.length === 1) return h(Uint8Array.of(0), only);
  const k = split(d.length);
  return h(Uint8Array.of(1), mth(d.slice(0, k)), mth(d.slice(k)));
}

/** PATH(m, D[n]) */
export function path(m: number, d: readonly Uint8Array[]): Hash[] {
  if (d.length <= 1) return [];
  const k = split(d.length);
  return m < k
    ? [...path(m, d.slice(0, k)), mth(d.slice(k))]
    : [...path(m - k, d.slice(k)), mth(d.slice(0, k))];
}

function subproof(m: number, d: readonly Uint8Array[], b: boolean): Hash[] {
  if (m === d.length) return b ? [] : [mth(d)];
  const k = split(d.length);
  return m <= k
    ? [...subproof(m, d.slice(0, k), b), mth(d.slice(k))]
    : [...subproof(m - k, d.slice(k), false), mth(d.slice(0, k))];
}

/** PROOF(m, D[n]) */
export function proof(m: number, d: readonly Uint8Array[]): Hash[] {
  return subproof(m, d, true);
}

/** MTH of the first so many leaves, for each of the sizes: one pass, where mth would begin anew for each. */
export function rootsAt(sizes: Iterable<number>, d: readonly Uint8Array[]): Map<number, Hash> {
  const wanted = new Set(sizes);
  const out = new Map<number, Hash>(wanted.has(0) ? [[0, h()]] : []);
  // Perfect subtrees from the left, each smaller than the one before.
  const subtrees: { readonly leaves: number; readonly hash: Hash }[] = [];
  for (const [i, leaf] of d.entries()) {
    let right = { leaves: 1, hash: h(Uint8Array.of(0), leaf) };
    for (let left = subtrees.at(-1); left?.leaves === right.leaves; left = subtrees.at(-1)) {
      subtrees.pop();
      right = { leaves: 2 * right.leaves, hash: h(Uint8Array.of(1), left.hash, right.hash) };
    }
    subtrees.push(right);
    if (wanted.has(i + 1))
      out.set(
        i + 1,
        subtrees.map(({ hash }) => hash).reduceRight((below, hash) => h(Uint8Array.of(1), hash, below)),
      );
  }
  return out;
}
