// Published: the newest tree head that the log signed or set out to sign, kept apart from the tree itself, so that a tree older or other
// than it is noticed.

import { base64, fromBase64, fromUtf8, utf8 } from '../encoding/bytes.ts';
import { LogDamage } from './journal.ts';
import type { TreeHead } from './merkle.ts';
import type { ObjectStore } from './object-store.ts';

export interface Published extends TreeHead {
  /** Of the newest tree head signed, milliseconds since the epoch. */
  readonly timestamp: number;
}

const KEY = 'published';

/** Undefined when the log has never published. */
export async function readPublished(store: Pick<ObjectStore, 'get'>): Promise<Published | undefined> {
  const bytes = await store.get(KEY);
  if (bytes === undefined) return undefined;
  const [size, root, timestamp, end] = fromUtf8(bytes).split('\n');
  const hash = fromBase64(root ?? '');
  if (end !== '' || hash?.length !== 32 || !/^\d+$/.test(size ?? '') || !/^\d+$/.test(timestamp ?? ''))
    throw new LogDamage('the record of what was published (`published`) is malformed');
  return { size: Number(size), root: hash, timestamp: Number(timestamp) };
}

export function writePublished(store: ObjectStore, { size, root, timestamp }: Published): Promise<void> {
  return store.replace(KEY, utf8(`${size}\n${base64(root)}\n${timestamp}\n`));
}
