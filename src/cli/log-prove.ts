// log prove: that an entry, or the entry behind a certificate, stands in the tree that the log signed.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { type Leaf, readLeaf } from '../certificate/leaf.ts';
import { printable } from '../certificate/plain-words.ts';
import { type Bytes, base64, concat, equal } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import { decodePem } from '../encoding/pem.ts';
import { leafIndexOf, merkleTreeLeaf, type TileLeaf } from '../log/entry.ts';
import type { Sct } from '../log/log.ts';
import { LogMistrust, type VerifiedCheckpoint } from '../log/log-client.ts';
import { leafHash } from '../log/merkle.ts';
import { TILE_WIDTH } from '../log/tile.ts';
import { sha256 } from '../node/system/native-digest.ts';
import { type AccessFlags, accessLog, addAccessFlags, type LogAccess } from './log-access.ts';
import {
  addOutcome,
  counted,
  EXIT_FOUND_WRONG,
  type JsonFlag,
  type Outcome,
  patiently,
  tell,
} from './outcome.ts';

interface ProveFlags extends JsonFlag, AccessFlags {
  url: string;
}

export function proveCommand(): Command {
  const command = new Command('prove')
    .description('prove that an entry, or that of a certificate, is in the log')
    .argument('<entry>', 'its index, or the file of a certificate in PEM')
    .requiredOption('--url <url>', 'a Mayfly, or the log itself');
  return addOutcome(addAccessFlags(command), 'it is there', 'it is not, or not what was promised').action(
    (entry: string, flags: ProveFlags) => tell(flags, () => patiently('asking the log', prove(entry, flags))),
  );
}

async function prove(what: string, flags: ProveFlags): Promise<Outcome> {
  const certificate = /^\d{1,15}$/.test(what) ? undefined : certificateIn(what);
  const access = await accessLog(flags.url, flags);
  try {
    return certificate === undefined
      ? await proveIndex(Number(what), access)
      : await proveCertificate(what, certificate, access);
  } catch (failure) {
    if (!(failure instanceof LogMistrust)) throw failure;
    const message = failure.message;
    return {
      lines: [`Not proven: ${printable(message)}`],
      object: { ok: false, message },
      exitCode: EXIT_FOUND_WRONG,
    };
  }
}

async function proveIndex(index: number, access: LogAccess): Promise<Outcome> {
  const head = await access.client.treeHead();
  return proven(await entryAt(index, head, access), head, access, []);
}

/** An SCT with `leaf_index` says where the entry is; issuer and time are then those of the entry itself. */
async function proveCertificate(file: string, leaf: Leaf, access: LogAccess): Promise<Outcome> {
  const { client, known } = access;
  const sct = leaf.scts.find(({ logId }) => equal(logId, sha256(known.publicKey)));
  if (sct === undefined)
    throw new LogMistrust(
      `${file} carries no SCT of ${known.origin}: it was logged elsewhere, or not at all`,
    );
  const index = leafIndexOf(sct.extensions);
  if (index === undefined) throw new Error(`the SCT in ${file} does not say at which index the entry is`);
  const head = await covering(index, sct, access);
  const entry = await entryAt(index, head, access);
  if (!equal(entry.tbs, leaf.precertTbs))
    throw new LogMistrust(`entry ${index} is another certificate than that in ${file}`);
  if (entry.timestamp !== sct.timestamp)
    throw new LogMistrust(`entry ${index} has another time than the SCT in ${file}`);
  if (!(await client.verifySct(sct, concat(entry.issuerKeyHash), leaf.precertTbs)))
    throw new LogMistrust(`the SCT in ${file} is not signed by the log`);
  const promised = new Date(sct.timestamp).toISOString();
  return proven(entry, head, access, [`Its SCT verifies: promised ${promised}, and kept.`]);
}

/** A log has a while to publish what it has promised; ours takes a fraction of a second. */
async function covering(index: number, sct: Sct, { client }: LogAccess): Promise<VerifiedCheckpoint> {
  for (;;) {
    const head = await client.treeHead();
    const age = Date.now() - sct.timestamp;
    if (head.size > index || age > MERGE_DELAY || age < 0) return head;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Milliseconds within which every log has to have published an entry (the longest that is in use is a day; ours says a minute). */
const MERGE_DELAY = 60_000;

async function entryAt(
  index: number,
  { size }: VerifiedCheckpoint,
  { client }: LogAccess,
): Promise<TileLeaf> {
  if (index >= size) throw new LogMistrust(`the log shows ${size} entries, and none at index ${index}`);
  const tile = Math.floor(index / TILE_WIDTH);
  const entries = await client.entries(tile, Math.min(TILE_WIDTH, size - tile * TILE_WIDTH));
  const entry = entries[index - tile * TILE_WIDTH];
  if (entry?.index !== index) throw new LogMistrust(`the entry at index ${index} says that it is another`);
  return entry;
}

async function proven(
  entry: TileLeaf,
  head: VerifiedCheckpoint,
  { client, known, pinned }: LogAccess,
  lines: readonly string[],
): Promise<Outcome> {
  const hash = leafHash(sha256, merkleTreeLeaf(entry));
  const proof = await client.proveInclusion(head, entry.index, hash);
  const signed = new Date(head.timestamp).toISOString();
  return {
    lines: [
      `Entry ${entry.index} of ${known.origin}: ${printable(nameOf(entry.tbs))}, logged ${new Date(entry.timestamp).toISOString()}`,
      ...lines,
      `Proven with ${counted(proof.length, 'hash', 'hashes')} to be in the tree of ${counted(head.size, 'entry', 'entries')} that the log signed ${signed}`,
      ...(pinned ? [] : ['  with the key that the log itself tells (--key pins it)']),
    ],
    object: {
      ok: true,
      origin: known.origin,
      log_id: base64(sha256(known.publicKey)),
      key_pinned: pinned,
      leaf_index: entry.index,
      timestamp: entry.timestamp,
      leaf_input: base64(merkleTreeLeaf(entry)),
      leaf_hash: base64(hash),
      tree_size: head.size,
      root_hash: base64(head.root),
      audit_path: proof.map(base64),
      checkpoint: Buffer.from(head.note).toString('utf8'),
    },
  };
}

function nameOf(tbs: Uint8Array): string {
  try {
    return readLeaf(der.sequence(tbs)).san?.value ?? 'a certificate without a name';
  } catch {
    return 'a certificate that Mayfly does not read';
  }
}

function certificateIn(file: string): Leaf {
  let first: Bytes | undefined;
  try {
    first = decodePem(readFileSync(file, 'utf8')).find(({ label }) => label === 'CERTIFICATE')?.der;
  } catch (cause) {
    throw new Error(`${file} is neither an index nor a file that can be read`, { cause });
  }
  if (first === undefined) throw new Error(`${file} holds no certificate in PEM`);
  try {
    return readLeaf(first);
  } catch (cause) {
    throw new Error(`${file} holds a certificate that is not one of Mayfly's or Fulcio's`, { cause });
  }
}
