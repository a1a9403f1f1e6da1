// log verify: recomputes a whole log from what it shows to everyone.

import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { type Bytes, base64, concat } from '../encoding/bytes.ts';
import { cosignatureOf, readCosignerKey } from '../log/cosignature.ts';
import { EntryExaminer } from '../log/entry-examiner.ts';
import { type Finding, fsck, type StoredLog } from '../log/fsck.ts';
import { issuerPath } from '../log/issuers.ts';
import { type GetObject, LogMistrust, type VerifiedCheckpoint } from '../log/log-client.ts';
import { parseNote } from '../log/note.ts';
import { parseTilePath, TILE_WIDTH, tilePath } from '../log/tile.ts';
import { sha256 } from '../node/system/native-digest.ts';
import { nativeVerifier as verifier } from '../node/system/native-verifier.ts';
import { type AccessFlags, accessLog, addAccessFlags, type LogAccess } from './log-access.ts';
import { findingLines } from './log-findings.ts';
import { addOutcome, counted, EXIT_FOUND_WRONG, type JsonFlag, type Outcome, tell } from './outcome.ts';
import { ProgressLine } from './progress.ts';

interface VerifyFlags extends JsonFlag, AccessFlags {
  since?: string;
  save?: string;
  witness?: readonly string[];
}

export function verifyCommand(): Command {
  const command = new Command('verify')
    .description('recompute a whole log from outside: checkpoint, tiles, entries, issuers')
    .argument('<url>', 'a Mayfly, or the log itself')
    .option('--since <file>', 'an earlier checkpoint, which the log has to continue')
    .option('--save <file>', 'keep the checkpoint that was verified, for --since')
    .option('--witness <vkey...>', 'verifier keys of witnesses that must have cosigned the checkpoint');
  return addOutcome(addAccessFlags(command), 'all is well', 'something is wrong').action(
    (url: string, flags: VerifyFlags) => tell(flags, () => verify(url, flags)),
  );
}

async function verify(url: string, flags: VerifyFlags): Promise<Outcome> {
  const access = await accessLog(url, flags);
  const cosigners = (flags.witness ?? []).map((text) => readCosignerKey(sha256, text));
  const findings: Finding[] = [];
  const head = await newest(access, findings);
  if (head === undefined) return outcome(access, undefined, findings);
  const note = parseNote(head.note);
  for (const cosigner of cosigners)
    if (note === undefined || (await cosignatureOf(note, cosigner, verifier)) === undefined)
      findings.push({ where: 'checkpoint', what: `carries no good cosignature of ${cosigner.name}` });
  const heads: StoredLog['heads'][number][] = [{ where: 'checkpoint', ...head }];
  if (flags.since !== undefined) await addEarlier(flags.since, access, head, heads, findings);

  const get = ahead(access.get, head.size);
  const issuer = (fingerprint: Uint8Array): Promise<Bytes | undefined> => get(issuerPath(fingerprint));
  const examiner = new EntryExaminer({ sha256, verifier, issuer });
  const progress = new ProgressLine('entries verified');
  const report = await fsck(
    { get, heads, journal: undefined },
    {
      sha256,
      faultOf: (entry) => examiner.faultOf(entry),
      onProgress: (entries) => progress.tell(entries, head.size),
    },
  ).finally(() => progress.end());
  findings.push(...report.findings);
  if (findings.length === 0 && flags.save !== undefined) writeFileSync(flags.save, head.note);
  return outcome(access, head, findings);
}

async function newest({ client }: LogAccess, findings: Finding[]): Promise<VerifiedCheckpoint | undefined> {
  try {
    return await client.treeHead();
  } catch (error) {
    if (!(error instanceof LogMistrust)) throw error;
    findings.push({ where: 'checkpoint', what: error.message });
    return undefined;
  }
}

async function addEarlier(
  file: string,
  { client }: LogAccess,
  head: VerifiedCheckpoint,
  heads: StoredLog['heads'][number][],
  findings: Finding[],
): Promise<void> {
  let earlier: VerifiedCheckpoint;
  try {
    earlier = await client.verify(concat(readFileSync(file)));
  } catch (cause) {
    if (!(cause instanceof LogMistrust)) throw cause;
    throw new Error(`${file} holds no checkpoint of this log: ${cause.message}`, { cause });
  }
  if (earlier.size > head.size)
    findings.push({
      where: file,
      what: `it covers ${earlier.size} entries, and the log now shows ${head.size} of them: it has gone back`,
    });
  else heads.push({ where: file, ...earlier });
}

function outcome(
  { known, prefix, pinned }: LogAccess,
  head: VerifiedCheckpoint | undefined,
  findings: readonly Finding[],
): Outcome {
  const ok = findings.length === 0;
  const taken = pinned ? '' : ', whose key was taken from the log itself (--key pins it)';
  const tree = head && { size: head.size, root: base64(head.root), timestamp: head.timestamp };
  const well =
    head && `${counted(head.size, 'entry', 'entries')}, and all of it is well: root ${base64(head.root)}`;
  const when = head && `signed ${new Date(head.timestamp).toISOString()} by ${known.origin}${taken}`;
  return {
    lines: ok
      ? [well ?? '', when ?? '']
      : [
          ...findingLines(findings),
          '',
          `${counted(findings.length, 'fault', 'faults')} in ${known.origin} at ${prefix}`,
        ],
    object: {
      ok,
      origin: known.origin,
      log_id: base64(sha256(known.publicKey)),
      key_pinned: pinned,
      ...tree,
      findings,
    },
    exitCode: ok ? 0 : EXIT_FOUND_WRONG,
  };
}

/** Tiles asked for before their turn. */
const AHEAD = 8;

/** Reads tiles one after another, the next ones being fetched already. */
function ahead(get: GetObject, size: number): GetObject {
  const started = new Map<string, Promise<Bytes | undefined>>();
  const begin = (path: string): Promise<Bytes | undefined> => {
    const found = started.get(path) ?? get(path);
    started.set(path, found);
    found.catch(() => undefined); // whoever asks for it meets the error
    return found;
  };
  return (path) => {
    const address = parseTilePath(path);
    if (address === undefined || (address.level !== 'data' && address.level !== 0)) return get(path);
    const { level, index } = address;
    for (let next = index; next <= index + AHEAD && (next + 1) * TILE_WIDTH <= size; next++)
      void begin(tilePath({ level, index: next, width: TILE_WIDTH }));
    const found = begin(path);
    started.delete(path);
    return found;
  };
}
