// Laws of the tree: it grows the same however it is batched, every proof holds, and every form reads back.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat, hex } from '../../src/encoding/bytes.ts';
import { TlsReader } from '../../src/encoding/tls.ts';
import { makeBatch, readBatch } from '../../src/log/batch.ts';
import { checkpointText, parseCheckpoint } from '../../src/log/checkpoint.ts';
import {
  entrySize,
  leafIndexExtension,
  leafIndexOf,
  merkleTreeLeaf,
  readDataTile,
  readTileLeaf,
  writeEntry,
} from '../../src/log/entry.ts';
import { EMPTY, type Frontier, grow, leafHash, rootOf, type TreeHead } from '../../src/log/merkle.ts';
import { formatNote, parseNote } from '../../src/log/note.ts';
import { Prover, rootOfInclusion, verifyConsistency } from '../../src/log/proof.ts';
import { hashesAt, parseTilePath, TILE_HEIGHT, tilePath } from '../../src/log/tile.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { mth } from '../unit/log/reference.ts';

const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Bytes> =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Uint8Array.from(array));
const index = fc.integer({ min: 0, max: 2 ** 40 - 1 });
const time = fc.integer({ min: 0, max: 2 ** 45 });
const entry = fc.record({
  issuerKeyHash: bytes(32, 32),
  tbs: bytes(0, 300),
  precertificate: bytes(0, 300),
  chain: fc.array(bytes(0, 20), { maxLength: 4 }),
});

describe('a tree', () => {
  it('has one root however its leaves are batched', () => {
    fc.assert(
      fc.property(fc.array(fc.array(bytes(0, 3), { maxLength: 90 }), { maxLength: 8 }), (split) => {
        let frontier: Frontier = EMPTY;
        for (const leaves of split)
          frontier = grow(
            sha256,
            frontier,
            leaves.map((leaf) => leafHash(sha256, leaf)),
          );
        expect(hex(rootOf(sha256, frontier))).toBe(hex(mth(split.flat())));
      }),
    );
  });

  it('proves every entry and every earlier tree', async () => {
    const sizes = fc.integer({ min: 1, max: 700 });
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.nat(), async (a, b, pick) => {
        const [first, second] = a < b ? [a, b] : [b, a];
        const leaves = Array.from({ length: second }, (_, i) => leafHash(sha256, Uint8Array.of(i, i >> 8)));
        const levels: Bytes[][] = [];
        const root = rootOf(
          sha256,
          grow(sha256, EMPTY, leaves, (height, _, hash) => {
            if (height % TILE_HEIGHT !== 0) return;
            levels[height / TILE_HEIGHT] ??= [];
            levels[height / TILE_HEIGHT]?.push(hash);
          }),
        );
        const prover = new Prover(sha256, async ({ level, index: n, width }) => {
          expect(n * 256 + width).toBeLessThanOrEqual(hashesAt(Number(level), second));
          return concat(...(levels[Number(level)] ?? []).slice(n * 256, n * 256 + width));
        });
        const at = pick % second;
        const found = rootOfInclusion(
          sha256,
          leaves[at] ?? root,
          at,
          second,
          await prover.inclusion(at, second),
        );
        expect(found && hex(found)).toBe(hex(root));
        const old = rootOf(sha256, grow(sha256, EMPTY, leaves.slice(0, first)));
        const proof = await prover.consistency(first, second);
        expect(verifyConsistency(sha256, first, old, second, root, proof)).toBe(true);
        if (first < second) expect(verifyConsistency(sha256, first, root, second, root, proof)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

describe('an entry', () => {
  it('reads back as it was laid out, wherever that was', () => {
    fc.assert(
      fc.property(entry, time, index, fc.nat(20), (submitted, timestamp, position, offset) => {
        const out = new Uint8Array(offset + entrySize(submitted));
        const fingerprints = submitted.chain.map(sha256);
        const written = writeEntry(out, offset, submitted, fingerprints, timestamp, position);
        expect(written.end).toBe(out.length);
        const read = readTileLeaf(new TlsReader(written.tileLeaf), written.tileLeaf);
        expect(read).toMatchObject({ timestamp, index: position });
        expect(hex(read.tbs)).toBe(hex(submitted.tbs));
        expect(hex(read.issuerKeyHash)).toBe(hex(submitted.issuerKeyHash));
        expect(hex(read.precertificate)).toBe(hex(submitted.precertificate));
        expect(read.chain.map(hex)).toEqual(fingerprints.map(hex));
        expect(hex(merkleTreeLeaf(read))).toBe(hex(written.leaf));
        expect(hex(leafHash(sha256, written.leaf))).toBe(hex(sha256(written.hashInput)));
      }),
    );
  });

  it('carries its index in its extensions, and no other extension is taken for one', () => {
    fc.assert(
      fc.property(index, (position) => {
        expect(leafIndexOf(leafIndexExtension(position))).toBe(position);
        expect(leafIndexOf(concat(Uint8Array.of(7, 0, 1, 9), leafIndexExtension(position)))).toBe(position);
      }),
    );
    fc.assert(fc.property(bytes(0, 12), (junk) => void leafIndexOf(junk)));
  });

  it('in a data tile that is cut short or altered is refused or read, never worse', () => {
    fc.assert(
      fc.property(bytes(0, 400), (junk) => {
        try {
          readDataTile(junk);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});

describe('a batch', () => {
  it('reads back, and does not when a bit is wrong', () => {
    const start: Frontier & TreeHead = { ...EMPTY, root: rootOf(sha256, EMPTY) };
    fc.assert(
      fc.property(
        fc.array(entry, { minLength: 1, maxLength: 5 }),
        time,
        fc.nat(),
        (entries, timestamp, pick) => {
          const submissions = entries.map((one) => ({ entry: one, fingerprints: one.chain.map(sha256) }));
          const { batch, frontier } = makeBatch(sha256, start, submissions, timestamp, () => undefined);
          const read = readBatch(sha256, batch.bytes);
          expect(read).toMatchObject({ first: 0, timestamp, after: { size: entries.length } });
          expect(read?.entries.map(({ hashInput }) => hex(hashInput))).toEqual(
            batch.entries.map(({ hashInput }) => hex(hashInput)),
          );
          expect(read && hex(read.after.root)).toBe(hex(frontier.root));
          const at = pick % batch.bytes.length;
          expect(
            readBatch(sha256, batch.bytes.with(at, (batch.bytes[at] ?? 0) ^ (1 << (pick % 8)))),
          ).toBeUndefined();
          expect(readBatch(sha256, batch.bytes.slice(0, at))).toBeUndefined();
        },
      ),
    );
  });
});

describe('text forms', () => {
  const name = fc.stringMatching(/^[!-*,-~]{1,20}$/);

  it('a note reads back', () => {
    const signature = fc.record({ name, keyId: bytes(4, 4), signature: bytes(1, 100) });
    const text = fc.array(fc.stringMatching(/^[ -~é€]{0,20}$/), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(text, fc.array(signature, { minLength: 1, maxLength: 5 }), (lines, signatures) => {
        const note = { text: `${lines.join('\n')}\n`, signatures };
        expect(parseNote(formatNote(note))).toEqual(note);
      }),
    );
  });

  it('no bytes make the note parser throw', () => {
    fc.assert(fc.property(bytes(0, 100), (junk) => void parseNote(junk)));
    fc.assert(fc.property(fc.string(), (junk) => void parseCheckpoint(junk)));
  });

  it('a checkpoint reads back', () => {
    fc.assert(
      fc.property(name, fc.maxSafeNat(), bytes(32, 32), (origin, size, root) => {
        expect(parseCheckpoint(checkpointText({ origin, size, root }))).toEqual({ origin, size, root });
      }),
    );
  });

  it('a tile path reads back', () => {
    const level = fc.oneof(fc.constant('data' as const), fc.integer({ min: 0, max: 5 }));
    fc.assert(
      fc.property(level, index, fc.integer({ min: 1, max: 256 }), (at, n, width) => {
        const address = { level: at, index: n, width };
        expect(parseTilePath(tilePath(address))).toEqual(address);
      }),
    );
    fc.assert(
      fc.property(fc.string(), (junk) => {
        const address = parseTilePath(junk);
        if (address !== undefined) expect(tilePath(address)).toBe(junk);
      }),
    );
  });
});
