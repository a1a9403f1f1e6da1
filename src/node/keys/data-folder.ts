// Data folder: where an instance keeps keys and certificates, in parts that are made whole or not at all and never overwritten.

import { existsSync } from 'node:fs';
import { link, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { Instant } from '../../clock.ts';
import { syncFolder, systemDisk } from '../system/disk.ts';

/** `dev` issues to anyone who asks its built-in issuer, so its material must never serve in earnest. */
export type InstanceKind = 'serve' | 'dev';

export type InstanceErrorCode =
  | 'kind_mismatch'
  | 'marker_missing'
  | 'marker_malformed'
  | 'file_missing'
  | 'file_unreadable'
  | 'folder_unusable'
  | 'key_unreadable'
  | 'keys_shared'
  | 'chain_unusable'
  | 'passphrase_empty'
  | 'request_pending';

/** Why an instance cannot start, as a sentence for the operator that names the file. */
export class InstanceError extends Error {
  override readonly name = 'InstanceError';
  readonly code: InstanceErrorCode;
  constructor(code: InstanceErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Records what kind of instance a folder is for, and which parts have been made, so that a lost part is not replaced by a new one. */
const MARKER = 'instance.json';

const markerSchema = z.strictObject({
  version: z.literal(1),
  kind: z.enum(['serve', 'dev']),
  made: z.array(z.string()),
});

type Marker = Readonly<z.infer<typeof markerSchema>>;

export interface DataFolder {
  readonly path: string;
  readonly kind: InstanceKind;
}

/** Whether an instance has begun there already. */
export function isDataFolder(at: string): boolean {
  return existsSync(join(at, MARKER));
}

/**
 * Makes the folder (0700) where it is missing, and marks it with its kind. Throws InstanceError for a folder of the
 * other kind, and for one that holds parts without a marker.
 */
export async function openDataFolder(at: string, kind: InstanceKind, now: Instant): Promise<DataFolder> {
  const path = resolve(at);
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first !== undefined) {
    for (let made = path; made.length >= first.length; made = dirname(made))
      await syncFolder(systemDisk, dirname(made));
  }
  const found = (await readMarker(path)) ?? (await claim(path, kind));
  if (found.kind !== kind) {
    const sentence =
      kind === 'serve'
        ? `${path} was made by "mayfly dev", whose tokens anyone can mint: "mayfly serve" needs a data folder of its own`
        : `${path} belongs to "mayfly serve": "mayfly dev" needs a data folder of its own, as anyone can mint its tokens`;
    throw new InstanceError('kind_mismatch', sentence);
  }
  await sweep(path, now);
  return { path, kind };
}

async function claim(path: string, kind: InstanceKind): Promise<Marker> {
  for (const part of ['ca', 'log']) {
    if (await isEmpty(join(path, part))) continue;
    const late = await readMarker(path); // by another process that has begun since
    if (late !== undefined) return late;
    throw new InstanceError(
      'marker_missing',
      `${path} has a folder "${part}" but no ${MARKER}: restore ${MARKER} from a backup, or name an empty data folder`,
    );
  }
  const marker: Marker = { version: 1, kind, made: [] };
  const staged = await stage(path, new Map([[MARKER, serialize(marker)]]));
  try {
    await link(join(staged, MARKER), join(path, MARKER)); // fails where the name is taken, unlike rename
    await syncFolder(systemDisk, path);
    return marker;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return (await readMarker(path)) ?? marker;
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}

/**
 * Makes the part `name`, a folder of files with mode 0600, unless it has been made before; resolves whether it is there, as
 * `make` may find that it cannot be made now. The files appear together,
 * by one rename, once they are durable: a crash leaves all or none, and of two processes only one succeeds.
 */
export async function providePart(
  { path }: DataFolder,
  name: string,
  make: () => Promise<ReadonlyMap<string, string> | undefined>,
): Promise<boolean> {
  const marker = await readMarker(path);
  if (marker === undefined) return false;
  if (marker.made.includes(name)) return true;
  const target = join(path, name);
  if (await isEmpty(target)) {
    const files = await make();
    if (files === undefined) return false;
    const staged = await stage(path, files);
    try {
      await rename(staged, target); // fails where the folder has something in it
    } catch (error) {
      await rm(staged, { recursive: true, force: true });
      if (await isEmpty(target)) throw error; // else another process was first
    }
    await syncFolder(systemDisk, path);
  }
  await record(path, name);
  return true;
}

async function record(path: string, part: string): Promise<void> {
  const marker = await readMarker(path);
  if (marker === undefined || marker.made.includes(part)) return;
  await replaceFile(path, MARKER, serialize({ ...marker, made: [...marker.made, part] }));
}

/** Remembers that `name` has been made in the data folder at `path`, so that its loss is noticed. */
export const markMade = record;

/** Whether `name` has been made in the data folder at `path`. */
export async function wasMade(path: string, name: string): Promise<boolean> {
  return (await readMarker(path))?.made.includes(name) === true;
}

/** Writes a file (0600) in the place of the one that is there, if one is: durable, and never seen half-written. */
export async function replaceFile(path: string, name: string, text: string): Promise<void> {
  const staged = await stage(path, new Map([[name, text]]));
  try {
    await rename(join(staged, name), join(path, name));
    await syncFolder(systemDisk, path);
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}

/** Makes the folder `name` (0700) of files (0600) in `path`: they appear together, once they are durable. Rejects where something is there. */
export async function makeFolderOf(
  path: string,
  name: string,
  files: ReadonlyMap<string, string>,
): Promise<void> {
  const staged = await stage(path, files);
  try {
    await rename(staged, join(path, name)); // fails where the folder has something in it
  } catch (error) {
    await rm(staged, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(systemDisk, path);
}

const serialize = (marker: Marker): string => `${JSON.stringify(marker, null, 2)}\n`;

async function readMarker(path: string): Promise<Marker | undefined> {
  const file = join(path, MARKER);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return markerSchema.parse(JSON.parse(text));
  } catch (cause) {
    const sentence = `${file} is damaged or from another version of Mayfly: restore it from a backup`;
    throw new InstanceError('marker_malformed', sentence, cause);
  }
}

const STAGED = '.new-';

/** Removes what a crash left half made, keys that never came into use; another process may be at work on anything younger. */
async function sweep(path: string, now: Instant): Promise<void> {
  for (const name of await readdir(path)) {
    if (!name.startsWith(STAGED)) continue;
    const staged = join(path, name);
    const found = await stat(staged).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < now - 60_000)
      await rm(staged, { recursive: true, force: true });
  }
}

/** A new folder (0700) with durable files (0600); returns its path. */
async function stage(path: string, files: ReadonlyMap<string, string>): Promise<string> {
  const staged = await mkdtemp(join(path, STAGED));
  for (const [name, text] of files) {
    const file = await open(join(staged, name), 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  }
  await syncFolder(systemDisk, staged);
  return staged;
}

async function isEmpty(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length === 0;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    throw error;
  }
}

/** A sentence when others than the owner may read or enter `path`, which holds secrets. */
export async function permissionWarning(path: string): Promise<string | undefined> {
  if (process.platform === 'win32') return undefined;
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return undefined;
  const bits = (mode & 0o777).toString(8).padStart(4, '0');
  return `${path} is open to others than its owner (mode ${bits}): it holds secrets`;
}

/** The code of an error of the operating system, such as ENOENT; undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
