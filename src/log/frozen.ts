// Frozen log: one that takes no more entries: its final tree, served for as long as its SCTs are checked, and without its keys.

import * as z from 'zod';
import { type Bytes, base64, fromBase64, fromUtf8, utf8 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { type SignedTreeHead, treeHeadOf } from './checkpoint.ts';
import type { LogIdentity } from './description.ts';
import { Indexer } from './indexer.ts';
import { LogDamage } from './journal.ts';
import { edgeOf, lastTiles } from './last-tiles.ts';
import type { LeafIndex } from './leaf-index.ts';
import { HASH_SIZE } from './merkle.ts';
import { parseNote } from './note.ts';
import type { ObjectStore } from './object-store.ts';
import { Reader } from './reader.ts';
import { TILE_WIDTH, tilePath } from './tile.ts';

export interface FrozenLog {
  readonly reader: Reader;
  /** No other is ever signed after it. */
  readonly treeHead: SignedTreeHead;
  close(): Promise<void>;
}

export interface FrozenParts {
  readonly sha256: Sha256;
  /** The public objects. */
  readonly store: ObjectStore;
  /** Where the log notes that it is frozen. */
  readonly guard: ObjectStore;
  readonly leafIndex: LeafIndex;
}

/** What a frozen log is read from. */
export interface StoredFrozenLog extends Pick<FrozenParts, 'sha256' | 'leafIndex'> {
  readonly store: Pick<ObjectStore, 'get'>;
  readonly guard: Pick<ObjectStore, 'get'>;
}

/** In the guard; once it is there, the log takes no entries again. */
export const FINAL_KEY = 'final';

const record = z.strictObject({
  version: z.literal(1),
  origin: z.string(),
  /** SubjectPublicKeyInfo, base64. */
  key: z.string(),
  size: z.number(),
});

type Final = Readonly<z.output<typeof record>>;

/** Whether the log that keeps its records in `guard` has been frozen. Throws a LogDamage for a record that cannot be read. */
export async function isFrozen(guard: Pick<ObjectStore, 'get'>): Promise<boolean> {
  return (await readFinal(guard)) !== undefined;
}

/** SubjectPublicKeyInfo, DER, of the log that has been frozen there; undefined where none has. Throws as isFrozen does. */
export async function frozenKey(guard: Pick<ObjectStore, 'get'>): Promise<Bytes | undefined> {
  const final = await readFinal(guard);
  return final && fromBase64(final.key);
}

async function readFinal(guard: Pick<ObjectStore, 'get'>): Promise<Final | undefined> {
  const bytes = await guard.get(FINAL_KEY);
  if (bytes === undefined) return undefined;
  try {
    return record.parse(JSON.parse(fromUtf8(bytes)));
  } catch {
    throw new LogDamage('the record of the final tree (`final`) is malformed');
  }
}

/**
 * Freezes a log that has been closed with all its entries published: its last tiles, which are partial for ever now, go
 * into the store, so that any web server can show the log from there. May be repeated after a crash at any step.
 */
export async function freeze(
  reader: Reader,
  { store, guard }: Omit<FrozenParts, 'leafIndex' | 'sha256'>,
): Promise<void> {
  const { size, identity } = reader;
  for (const address of lastTiles(size)) {
    const tile = await reader.tile(address);
    if (tile === undefined) throw new LogDamage(`${tilePath(address)} is missing`);
    await store.create(tilePath(address), tile);
  }
  const { origin, publicKey } = identity;
  const final: Final = { version: 1, origin, key: base64(publicKey), size };
  await guard.replace(FINAL_KEY, utf8(`${JSON.stringify(final)}\n`));
}

/** Throws a LogDamage when what is stored is not the log that was frozen. */
export async function openFrozenLog({
  sha256,
  store,
  guard,
  leafIndex,
}: StoredFrozenLog): Promise<FrozenLog> {
  const final = await readFinal(guard);
  const publicKey = final && fromBase64(final.key);
  if (final === undefined || publicKey === undefined) throw new LogDamage('the log has not been frozen');
  const logId = sha256(publicKey);
  const checkpoint = await store.get('checkpoint');
  const note = checkpoint && parseNote(checkpoint);
  const treeHead = note && treeHeadOf(sha256, note, logId);
  if (checkpoint === undefined || treeHead === undefined)
    throw new LogDamage('the final checkpoint is missing, or is not signed by this log');
  if (treeHead.size !== final.size)
    throw new LogDamage(`the final tree has ${final.size} entries, and the checkpoint ${treeHead.size}`);
  const edge = await edgeOf(store, final.size);
  const identity: LogIdentity = { origin: final.origin, publicKey, logId };
  const current = { treeHead, checkpoint };
  const published = async (index: number): Promise<void> => {
    if (index >= final.size) throw new Error('the log is frozen');
  };
  const publisher = { current, published };
  const reader = new Reader({ sha256, identity, source: { edge }, publisher, store, leafIndex });
  if (leafIndex.size > final.size) await leafIndex.clear(); // of another tree
  const indexer = new Indexer(leafIndex, async (from, to) => {
    const index = Math.floor(from / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, final.size - index * TILE_WIDTH);
    const tile = await reader.tile({ level: 0, index, width });
    if (tile === undefined) throw new LogDamage(`the tile of entry ${from} is missing`);
    return tile.slice((from % TILE_WIDTH) * HASH_SIZE, (to - index * TILE_WIDTH) * HASH_SIZE);
  });
  await indexer.follow(final.size);
  return { reader, treeHead, close: () => leafIndex.close() };
}
