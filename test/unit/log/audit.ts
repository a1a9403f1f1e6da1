// An auditor of a whole log from what it serves, with node:crypto and the recursive tree alone.

import { createHash, createPublicKey, verify } from 'node:crypto';
import type { Sct } from '../../../src/log/log.ts';
import type { Reader } from '../../../src/log/reader.ts';
import { mth } from './reference.ts';

export interface AuditedLog {
  readonly size: number;
  readonly timestamp: number;
  readonly root: string;
  /** MerkleTreeLeafs in order. */
  readonly leaves: readonly Buffer[];
}

/** Reads every tile, recomputes every hash, checks both signatures; throws at the first thing that is wrong. */
export async function audit(reader: Reader, spki: Uint8Array): Promise<AuditedLog> {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  const [origin, sizeText, root, blank, ...lines] = Buffer.from(reader.checkpoint()).toString().split('\n');
  if (blank !== '' || lines.pop() !== '') throw new Error('the checkpoint is not laid out as a note');
  const size = Number(sizeText);

  const logId = createHash('sha256').update(spki).digest();
  const keyId = createHash('sha256').update(`${origin}\n`).update(Uint8Array.of(5)).update(logId).digest();
  const raw = Buffer.from(
    lines
      .map((line) => line.split(' ')[2] ?? '')
      .find((text) => Buffer.from(text, 'base64').subarray(0, 4).equals(keyId.subarray(0, 4))) ?? '',
    'base64',
  );
  const input = Buffer.concat([
    Buffer.of(0, 1),
    raw.subarray(4, 12),
    Buffer.alloc(8),
    Buffer.from(root ?? '', 'base64'),
  ]);
  input.writeBigUInt64BE(BigInt(size), 10);
  if (!raw.subarray(12, 14).equals(Buffer.of(4, 3)) || !verify('sha256', input, key, raw.subarray(16)))
    throw new Error('the tree head signature does not verify');

  const leaves: Buffer[] = [];
  for (let n = 0; n * 256 < size; n++) {
    const tile = await reader.tile({ level: 'data', index: n, width: Math.min(256, size - n * 256) });
    if (tile === undefined) throw new Error(`data tile ${n} is missing`);
    for (let at = 0; at < tile.length; ) {
      const view = Buffer.from(tile.buffer, tile.byteOffset + at, tile.length - at);
      const tbs = view.readUIntBE(42, 3);
      const leafEnd = 45 + tbs + 2 + 8;
      leaves.push(Buffer.concat([Buffer.of(0, 0), view.subarray(0, leafEnd)]));
      const precertificate = view.readUIntBE(leafEnd, 3);
      at += leafEnd + 3 + precertificate + 2 + view.readUInt16BE(leafEnd + 3 + precertificate);
    }
  }
  if (leaves.length !== size)
    throw new Error(`${leaves.length} entries in the data tiles of a tree of ${size}`);
  if (Buffer.from(mth(leaves)).toString('base64') !== root)
    throw new Error('the root is not that of the entries');
  for (const [i, leaf] of leaves.entries())
    if (leaf.readUIntBE(leaf.length - 5, 5) !== i) throw new Error(`entry ${i} names another index`);

  for (let level = 0, span = 1; span <= size; level++, span *= 256) {
    const count = Math.floor(size / span);
    for (let n = 0; n * 256 < count; n++) {
      const width = Math.min(256, count - n * 256);
      const tile = await reader.tile({ level, index: n, width });
      const wanted = Array.from({ length: width }, (_, i) => {
        const from = (n * 256 + i) * span;
        return mth(leaves.slice(from, from + span));
      });
      if (tile === undefined || !Buffer.concat(wanted).equals(tile))
        throw new Error(`tile ${level}/${n} is wrong`);
    }
  }
  return { size, timestamp: Number(raw.readBigUInt64BE(4)), root: root ?? '', leaves };
}

/** Whether the SCT stands in the audited log, at its index, with its time, under a good signature. */
export function holds({ leaves }: AuditedLog, spki: Uint8Array, sct: Sct, tbs: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  const leaf = leaves[Buffer.from(sct.extensions).readUIntBE(3, 5)];
  return (
    leaf !== undefined &&
    Number(leaf.readBigUInt64BE(2)) === sct.timestamp &&
    leaf.subarray(47, 47 + tbs.length).equals(tbs) &&
    leaf.readUIntBE(44, 3) === tbs.length &&
    Buffer.from(sct.signature).subarray(0, 2).equals(Buffer.of(4, 3)) &&
    verify('sha256', leaf, key, Buffer.from(sct.signature).subarray(4))
  );
}
