// Frozen issuers: a list in the data folder of those from whom nothing is taken for now, whatever the configuration says.

import { mkdtemp, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { syncFolder, systemDisk } from '../system/disk.ts';

export const FROZEN_FILE = 'frozen-issuers.json';

export interface FrozenIssuer {
  /** The name or the URL of a configured entry, or one `iss` that a wildcard entry matches. */
  readonly issuer: string;
  /** ISO 8601. */
  readonly since: string;
  readonly reason?: string | undefined;
}

const schema = z.strictObject({
  version: z.literal(1),
  frozen: z.array(
    z.strictObject({ issuer: z.string().min(1), since: z.string(), reason: z.string().optional() }),
  ),
});

/** Throws an Error with a sentence for a list that cannot be read: then nobody knows who is on it. */
export function parseFrozen(text: string, file: string): readonly FrozenIssuer[] {
  try {
    return schema.parse(JSON.parse(text)).frozen;
  } catch (cause) {
    throw new Error(`${file} is damaged; mayfly issuer freeze writes it, or remove it to freeze nobody`, {
      cause,
    });
  }
}

/** Replaces the list as a whole: durable, and never seen half-written. */
export async function writeFrozen(folder: string, frozen: readonly FrozenIssuer[]): Promise<void> {
  const staged = await mkdtemp(join(folder, '.new-'));
  try {
    const file = await open(join(staged, FROZEN_FILE), 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ version: 1, frozen }, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(join(staged, FROZEN_FILE), join(folder, FROZEN_FILE));
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
  await syncFolder(systemDisk, folder);
}
