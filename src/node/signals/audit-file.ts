// Audit file: a JSON line for each decision, added to a file or to standard error; what waits together is written together.

import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Audit, Trail } from '../../audit.ts';
import { auditLine } from '../../audit-line.ts';
import type { AuditSettings } from '../../config/access-settings.ts';
import { Problem } from '../../problem.ts';
import { sha256 } from '../system/native-digest.ts';

/** Where lines go. */
export interface Sink {
  /** Rejects when the text may not have arrived. */
  write(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Lines that may wait for a slow disk; further ones are lost. */
const MOST_WAITING = 10_000;

export interface AuditLogOptions extends Pick<AuditSettings, 'required' | 'claims'> {
  /** Told when lines begin to get lost, and when they arrive again. */
  readonly onState: (arriving: boolean, cause?: unknown) => void;
}

interface Batch {
  readonly lines: string[];
  readonly written: Promise<void>;
}

export class AuditLog implements Audit {
  readonly #sink: Sink;
  readonly #options: AuditLogOptions;
  /** Not begun yet; whoever comes while another is being written joins it. */
  #next: Batch | undefined;
  #last: Promise<void> = Promise.resolve();
  #arriving = true;
  /** After a failure part of a line may stand there. */
  #broken = false;

  constructor(sink: Sink, options: AuditLogOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  record(trail: Trail, failure?: unknown): void | Promise<void> {
    const { required, claims } = this.#options;
    const written = this.#add(`${JSON.stringify(auditLine(trail, failure, claims, sha256))}\n`);
    const told = written.catch((cause: unknown) => {
      // A refusal stands whether it is recorded or not, and onState was told.
      if (required && failure === undefined) throw new Problem('audit_unavailable', { cause });
    });
    return required ? told : undefined;
  }

  /** Resolves when everything recorded so far is written. */
  async close(): Promise<void> {
    await this.#last;
    await this.#sink.close();
  }

  #add(line: string): Promise<void> {
    this.#next ??= this.#newBatch();
    const { lines, written } = this.#next;
    if (lines.length >= MOST_WAITING) {
      const cause = new Error('too many lines wait');
      this.#tell(false, cause);
      return Promise.reject(cause);
    }
    lines.push(line);
    return written;
  }

  #newBatch(): Batch {
    const lines: string[] = [];
    const written = this.#last.then(() => {
      this.#next = undefined;
      return this.#write(lines);
    });
    this.#last = written.catch(() => {});
    return { lines, written };
  }

  async #write(lines: readonly string[]): Promise<void> {
    try {
      await this.#sink.write((this.#broken ? '\n' : '') + lines.join(''));
    } catch (cause) {
      this.#broken = true;
      this.#tell(false, cause);
      throw cause;
    }
    this.#broken = false;
    this.#tell(true);
  }

  #tell(arriving: boolean, cause?: unknown): void {
    if (arriving !== this.#arriving) this.#options.onState(arriving, cause);
    this.#arriving = arriving;
  }
}

/** Throws an Error with a sentence when the file cannot be opened. A required line is on the disk before it counts. */
export async function openSink({ file, required }: AuditSettings): Promise<Sink> {
  return file === undefined ? STDERR : new FileSink(file, required, await opened(file));
}

/** How long lines that are not required may go to a file that was moved away. */
const FOLLOWED_MS = 1_000;

/** Lines go to the file that bears the name now: one that was moved away, as logrotate does, is followed by a new one. */
class FileSink implements Sink {
  readonly #file: string;
  readonly #required: boolean;
  #handle: FileHandle;
  #followed = Number.NEGATIVE_INFINITY;

  constructor(file: string, required: boolean, handle: FileHandle) {
    this.#file = file;
    this.#required = required;
    this.#handle = handle;
  }

  async write(text: string): Promise<void> {
    if (this.#required || performance.now() - this.#followed >= FOLLOWED_MS) await this.#follow();
    await this.#handle.appendFile(text);
    if (this.#required) await this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #follow(): Promise<void> {
    const [named, held] = await Promise.all([
      stat(this.#file, { bigint: true }).catch(() => undefined),
      this.#handle.stat({ bigint: true }),
    ]);
    if (named?.dev !== held.dev || named.ino !== held.ino) {
      const next = await opened(this.#file);
      await this.#handle.close();
      this.#handle = next;
    }
    this.#followed = performance.now();
  }
}

async function opened(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'a', 0o600);
  } catch (cause) {
    throw new Error(`the audit file ${file} cannot be written`, { cause });
  }
}

const STDERR: Sink = {
  write: (text) =>
    new Promise((resolve, reject) => {
      process.stderr.write(text, (cause) => (cause ? reject(cause) : resolve()));
    }),
  close: () => Promise.resolve(),
};
