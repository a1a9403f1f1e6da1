// trust: the keys of an instance as files, for clients that verify without asking it.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { TRUST_DOCUMENTS } from '../client/remote-instance.ts';
import { readTrustedRoot } from '../client/trusted-root-file.ts';
import {
  addClientFlags,
  type InstanceFlags,
  instanceOf,
  type JsonFlag,
  report,
  unusable,
} from './client-options.ts';
import { patiently } from './outcome.ts';

interface ExportFlags extends InstanceFlags, JsonFlag {
  out: string;
}

export function trustCommand(): Command {
  const exporting = new Command('export')
    .description('write trusted_root.json, signing_config.json and client_trust_config.json')
    .option('--out <dir>', 'folder for the files; made where it is missing', '.');
  addClientFlags(exporting).action((flags: ExportFlags) =>
    report(flags, async () => {
      const instance = instanceOf(flags);
      const asked = TRUST_DOCUMENTS.map(async (name) => [name, await instance.document(name)] as const);
      const documents = await patiently(`asking ${instance.url}`, Promise.all(asked));
      for (const [name, text] of documents)
        if (name === 'trusted_root.json') readTrustedRoot(text, instance.url);
      const files: string[] = [];
      for (const [name, text] of documents) files.push(await write(flags.out, name, text));
      return { lines: files.map((file) => `Wrote ${printable(file)}`), object: { ok: true, files } };
    }),
  );
  return new Command('trust').description('the keys that clients of an instance trust').addCommand(exporting);
}

async function write(folder: string, name: string, text: string): Promise<string> {
  const file = join(folder, name);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(file, text);
    return file;
  } catch (cause) {
    throw unusable(file, 'written', cause);
  }
}
