// log key: the public key of a log, for those who are to trust it, and the verifier keys that witnesses take.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { type Bytes, base64 } from '../encoding/bytes.ts';
import { encodePem } from '../encoding/pem.ts';
import { ed25519Key, treeHeadKeyId } from '../log/checkpoint.ts';
import { ED25519_NOTE, noteKeyId, RFC6962_NOTE, verifierKey } from '../log/note.ts';
import { logFolderOf } from '../node/log/builtin-log.ts';
import { isMissing } from '../node/system/disk.ts';
import { sha256 } from '../node/system/native-digest.ts';
import { accessLog } from './log-access.ts';
import { type KeyFlags, logKeysOf, logPartOf } from './log-keys.ts';
import { addOutcome, type JsonFlag, type Outcome, tell } from './outcome.ts';

interface KeyCommandFlags extends JsonFlag, KeyFlags {
  vkey?: boolean;
  origin?: string;
}

export function keyCommand(): Command {
  const command = new Command('key')
    .description('print the public key of a log')
    .argument('[url]', 'a Mayfly, or the log itself, which is taken at its word (default: the data folder)')
    .option('--data <dir>', 'folder of keys and log', './mayfly-data')
    .option('--key-passphrase-file <file>', 'file whose first line decrypts the keys in the folder')
    .option('--origin <name>', 'name of the log, where the folder does not tell it (a log in a bucket)')
    .option('--vkey', 'print verifier keys instead: what witnesses are told of a log');
  return addOutcome(command, 'printed', 'not used').action(
    (url: string | undefined, flags: KeyCommandFlags) => tell(flags, () => show(url, flags)),
  );
}

async function show(url: string | undefined, flags: KeyCommandFlags): Promise<Outcome> {
  const { origin, key, noteKey } = url === undefined ? await inFolder(flags) : await atUrl(url);
  const vkeys = origin === undefined ? [] : verifierKeys(origin, key, noteKey);
  if (flags.vkey === true && vkeys.length === 0)
    throw new Error(
      `the log in ${flags.data} has no name yet: it gets one when it is first served; --origin tells that of a log in a bucket`,
    );
  return {
    lines: flags.vkey === true ? vkeys : encodePem('PUBLIC KEY', key).trimEnd().split('\n'),
    object: { origin, log_id: base64(sha256(key)), key: base64(key), vkeys },
  };
}

/** The Ed25519 one first, which most witnesses take. */
function verifierKeys(origin: string, key: Bytes, noteKey: Bytes | undefined): readonly string[] {
  const head = verifierKey(origin, treeHeadKeyId(sha256, origin, sha256(key)), RFC6962_NOTE, key);
  if (noteKey === undefined) return [head];
  const material = ed25519Key(noteKey);
  return [
    verifierKey(origin, noteKeyId(sha256, origin, ED25519_NOTE, material), ED25519_NOTE, material),
    head,
  ];
}

interface Shown {
  readonly origin: string | undefined;
  readonly key: Bytes;
  /** Only the folder tells. */
  readonly noteKey?: Bytes;
}

async function atUrl(url: string): Promise<Shown> {
  const { known } = await accessLog(url, {});
  return { origin: known.origin, key: known.publicKey };
}

async function inFolder(flags: KeyCommandFlags): Promise<Shown> {
  const keys = await logKeysOf(flags);
  return { origin: flags.origin ?? (await nameIn(flags.data)), key: keys.log.spki, noteKey: keys.note.spki };
}

async function nameIn(data: string): Promise<string | undefined> {
  try {
    return readFileSync(join(logFolderOf(data, await logPartOf(data)), 'identity'), 'utf8').split('\n')[0];
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
