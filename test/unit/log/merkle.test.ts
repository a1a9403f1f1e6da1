import { describe, expect, it } from 'vitest';
import { type Bytes, concat, fromHex, hex } from '../../../src/encoding/bytes.ts';
import { EMPTY, grow, HASH_SIZE, leafHash, rootOf, subtreesOf } from '../../../src/log/merkle.ts';
import { Prover, rootOfInclusion, verifyConsistency } from '../../../src/log/proof.ts';
import { hashesAt, TILE_HEIGHT } from '../../../src/log/tile.ts';
import { mth, path, proof } from './reference.ts';
import { sha256 } from './support.ts';

// The leaves and roots that certificate-transparency's own tests of RFC 6962 use.
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map(fromHex);
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

const hashed = (leaves: readonly Uint8Array[]): Bytes[] => leaves.map((leaf) => leafHash(sha256, leaf));

describe('the tree of RFC 6962', () => {
  it.each(ROOTS.map((root, size) => ({ size, root })))(
    'has the known root over $size leaves',
    ({ size, root }) => {
      const frontier = grow(sha256, EMPTY, hashed(LEAVES.slice(0, size)));
      expect(hex(rootOf(sha256, frontier))).toBe(root);
      expect(hex(mth(LEAVES.slice(0, size)))).toBe(root);
    },
  );

  it('splits sizes beyond 32 bits exactly', () => {
    const size = 2 ** 40 - 1;
    const subtrees = subtreesOf(size);
    expect(subtrees).toHaveLength(40);
    expect(subtrees.reduce((sum, { height }) => sum + 2 ** height, 0)).toBe(size);
    expect(subtrees.at(-1)).toEqual({ height: 0, index: size - 1 });
  });
});

// Across the first tile boundary of both kinds: 256 leaves fill a level-0 tile, 600 leave two hashes at level 1.
const MANY = Array.from({ length: 600 }, (_, i) => Uint8Array.of(i >> 8, i));
const levels: Bytes[][] = [];
grow(sha256, EMPTY, hashed(MANY), (height, _, hash) => {
  if (height % TILE_HEIGHT === 0) {
    const level = height / TILE_HEIGHT;
    levels[level] ??= [];
    levels[level].push(hash);
  }
});

/** Serves exactly the tiles that a tree of `size` has. */
const prover = (size: number): Prover =>
  new Prover(sha256, async ({ level, index, width }) => {
    if (level === 'data') throw new Error('a proof needs no entries');
    const there = hashesAt(level, size) - index * 256;
    expect(width).toBeGreaterThan(0);
    expect(width).toBeLessThanOrEqual(there);
    return concat(...(levels[level] ?? []).slice(index * 256, index * 256 + width));
  });

const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257, 300, 511, 512, 513, 600];

describe('proofs', () => {
  it.each(SIZES)('of inclusion in a tree of %i match the recursive definition and verify', async (size) => {
    const leaves = MANY.slice(0, size);
    const root = mth(leaves);
    const picked = new Set(
      [0, 1, size >> 1, size - 2, size - 1, 254, 255, 256].filter((i) => i >= 0 && i < size),
    );
    for (const index of picked) {
      const made = await prover(size).inclusion(index, size);
      expect(made.map(hex)).toEqual(path(index, leaves).map(hex));
      const leaf = leafHash(sha256, leaves[index] ?? new Uint8Array());
      expect(rootOfInclusion(sha256, leaf, index, size, made)).toEqual(root);
    }
  });

  it.each(SIZES)('of consistency up to %i match the recursive definition and verify', async (second) => {
    const newRoot = mth(MANY.slice(0, second));
    expect(await prover(second).root(second)).toEqual(newRoot);
    for (const first of SIZES.filter((n) => n <= second)) {
      const made = await prover(second).consistency(first, second);
      expect(made.map(hex)).toEqual(proof(first, MANY.slice(0, second)).map(hex));
      expect(verifyConsistency(sha256, first, mth(MANY.slice(0, first)), second, newRoot, made)).toBe(true);
    }
  });

  it('fail when anything about them is wrong', async () => {
    const size = 300;
    const root = mth(MANY.slice(0, size));
    const leaf = leafHash(sha256, MANY[77] ?? new Uint8Array());
    const inclusion = await prover(size).inclusion(77, size);
    expect(rootOfInclusion(sha256, leaf, 76, size, inclusion)).not.toEqual(root);
    expect(rootOfInclusion(sha256, leaf, 77, size, inclusion.slice(1))).toBeUndefined();
    expect(rootOfInclusion(sha256, leaf, 300, size, inclusion)).toBeUndefined();

    const old = mth(MANY.slice(0, 77));
    const consistency = await prover(size).consistency(77, size);
    const check = (first: number, a: Bytes, second: number, b: Bytes, p: readonly Bytes[]): boolean =>
      verifyConsistency(sha256, first, a, second, b, p);
    expect(check(77, old, size, root, consistency)).toBe(true);
    expect(check(77, root, size, root, consistency)).toBe(false);
    expect(check(77, old, size, old, consistency)).toBe(false);
    expect(check(78, old, size, root, consistency)).toBe(false);
    expect(check(77, old, size, root, consistency.slice(1))).toBe(false);
    expect(check(size, old, 77, root, consistency)).toBe(false);
    expect(check(0, old, size, root, consistency)).toBe(false);
    for (const i of consistency.keys())
      expect(check(77, old, size, root, consistency.with(i, new Uint8Array(HASH_SIZE)))).toBe(false);
  });
});
