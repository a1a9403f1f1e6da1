// Watch: the files that a configuration was read from, and word when one of them is another than it was.

import { createHash } from 'node:crypto';
import { type FSWatcher, readFileSync, realpathSync, watch } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Files as they were when they were last read here. */
export class ReadFiles {
  readonly #digests = new Map<string, string>();
  readonly #texts = new Map<string, string | null>();
  readonly #given: ReadonlyMap<string, string | null>;

  /** `given` stands for files by absolute path, as another process has read them; null for one that was not there. */
  constructor(given: Iterable<readonly [string, string | null]> = []) {
    this.#given = new Map(given);
  }

  /** UTF-8. Throws as the file system does; a file that is missing is remembered as missing. */
  read(path: string): string {
    const at = resolve(path);
    this.#digests.set(at, MISSING);
    this.#texts.set(at, null);
    const text = this.#given.get(at) ?? this.#fromDisk(at);
    this.#digests.set(at, digestOf(text));
    this.#texts.set(at, text);
    return text;
  }

  /** Undefined where there is no such file. */
  readIfThere(path: string): string | undefined {
    try {
      return this.read(path);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #fromDisk(at: string): string {
    if (this.#given.get(at) === null)
      throw Object.assign(new Error(`${at} was not there`), { code: 'ENOENT' });
    return readFileSync(at, 'utf8');
  }

  /** By absolute path what was read; null for what was not there. */
  get texts(): readonly (readonly [string, string | null])[] {
    return [...this.#texts];
  }

  /** Absolute paths. */
  get paths(): readonly string[] {
    return [...this.#digests.keys()];
  }

  get changed(): boolean {
    return [...this.#digests].some(([path, digest]) => digestNow(path) !== digest);
  }
}

const MISSING = '';

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64');

function digestNow(path: string): string {
  try {
    return digestOf(readFileSync(path, 'utf8'));
  } catch {
    return MISSING;
  }
}

export interface WatchOptions {
  /** Quiet after which a change counts as complete, in ms. */
  readonly settle?: number;
  /** Between two looks that need no event, in ms: network file systems tell nothing, and a folder may be replaced. */
  readonly lookEvery?: number;
  /** Told once for a folder that cannot be watched; its files are looked at all the same. */
  readonly onUnwatched?: (folder: string, cause: unknown) => void;
}

/** However busy the folders are, a change is seen after this many times `settle`. */
const MOST_PAUSES = 10;

/**
 * Calls `onChange` when a file has other content than when it was read. The folders are watched and not the files, as
 * editors replace files and a Kubernetes volume replaces the symlink `..data` beside them. `current` is asked anew each
 * time. Ends with the function returned.
 */
export function watchFiles(
  current: () => ReadFiles,
  onChange: () => void,
  options: WatchOptions = {},
): () => void {
  const { settle = 100, lookEvery = 30_000, onUnwatched } = options;
  const watchers = new Map<string, FSWatcher>();
  const unwatched = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let pauses = 0;

  const look = (): void => {
    timer = undefined;
    pauses = 0;
    if (current().changed) onChange();
    if (follow()) stir(); // what changed before they were watched
  };
  const stir = (): void => {
    if (pauses >= MOST_PAUSES) return;
    pauses += 1;
    clearTimeout(timer);
    timer = setTimeout(look, settle);
  };
  const drop = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  /** Watches the folders that count now; returns whether some were not watched before. */
  const follow = (): boolean => {
    let anew = false;
    const wanted = new Set(current().paths.flatMap(foldersOf));
    for (const folder of watchers.keys()) if (!wanted.has(folder)) drop(folder);
    for (const folder of wanted) {
      if (watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, stir);
        watcher.on('error', () => {
          drop(folder);
          stir();
        });
        watchers.set(folder, watcher);
        unwatched.delete(folder);
        anew = true;
      } catch (cause) {
        if (!unwatched.has(folder)) onUnwatched?.(folder, cause);
        unwatched.add(folder);
      }
    }
    return anew;
  };

  follow();
  stir(); // what changed before the first folder was watched
  const interval = setInterval(() => {
    for (const folder of watchers.keys()) drop(folder); // one that was replaced is watched anew
    look();
  }, lookEvery);
  interval.unref();
  return () => {
    clearInterval(interval);
    clearTimeout(timer);
    for (const folder of watchers.keys()) drop(folder);
  };
}

/** Where the name stands, and where the file is that it leads to. */
function foldersOf(path: string): readonly string[] {
  const folder = dirname(path);
  try {
    return [...new Set([folder, dirname(realpathSync(path))])];
  } catch {
    return [folder];
  }
}
