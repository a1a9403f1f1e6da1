// Monitor state: how far a monitor of a log has come, as a file that survives a crash whole.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { type Bytes, base64, equal, fromBase64 } from '../../encoding/bytes.ts';
import { type LogClient, LogMistrust } from '../../log/log-client.ts';
import { HASH_SIZE } from '../../log/merkle.ts';
import { BEGINNING, type Progress } from '../../log/monitor.ts';
import { isMissing } from '../system/disk.ts';

const bytes = z.string().transform((text, context): Bytes => {
  const found = fromBase64(text);
  if (found === undefined) context.addIssue('takes base64');
  return found ?? new Uint8Array();
});

const stateSchema = z.strictObject({
  version: z.literal(1),
  log: z.strictObject({ origin: z.string(), key: bytes }),
  /** The signed note. */
  checkpoint: z.string(),
  examined: z.strictObject({ size: z.int().min(0), nodes: z.array(bytes) }),
});

/** The log that a state is of, by which later runs hold the log to the key that it had first; undefined where there is no file. */
export function knownLogIn(file: string): { readonly origin: string; readonly publicKey: Bytes } | undefined {
  const state = read(file);
  return state && { origin: state.log.origin, publicKey: state.log.key };
}

/** Throws an Error with a sentence when the file is of another log or no state. */
export async function readMonitorState(file: string, client: LogClient): Promise<Progress> {
  const state = read(file);
  if (state === undefined) return BEGINNING;
  const { log, examined } = state;
  if (log.origin !== client.log.origin || !equal(log.key, client.log.publicKey))
    throw new Error(`${file} is the state of another log, or the log has another key now`);
  if (!examined.nodes.every((node) => node.length === HASH_SIZE)) throw damaged(file);
  try {
    return { checkpoint: await client.verify(new Uint8Array(Buffer.from(state.checkpoint))), examined };
  } catch (cause) {
    if (cause instanceof LogMistrust) throw damaged(file, cause);
    throw cause;
  }
}

export function writeMonitorState(file: string, client: LogClient, { checkpoint, examined }: Progress): void {
  if (checkpoint === undefined) return;
  const { origin, publicKey } = client.log;
  const state = {
    version: 1,
    log: { origin, key: base64(publicKey) },
    checkpoint: Buffer.from(checkpoint.note).toString('utf8'),
    examined: { size: examined.size, nodes: examined.nodes.map(base64) },
  };
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const fd = openSync(temporary, 'w', 0o644);
    try {
      writeSync(fd, `${JSON.stringify(state, null, 2)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new Error(`the state cannot be written to ${file}`, { cause });
  }
}

function read(file: string): z.output<typeof stateSchema> | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new Error(`${file} cannot be read`, { cause });
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw damaged(file, cause);
  }
}

function damaged(file: string, cause?: unknown): Error {
  return new Error(`${file} is no state of a monitor, or damaged: restore it, or begin anew without it`, {
    cause,
  });
}
