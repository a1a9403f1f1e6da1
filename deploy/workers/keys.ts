// keys:edge: the command that makes the keys of a Worker where there are none, and hands them to the platform as secrets.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { KeySecrets } from '../../src/workers/variables.ts';
import { chainsIn, keySecrets, keysIn } from './key-secrets.ts';

interface Flags {
  readonly data: string;
  readonly passphraseFile?: string;
  readonly caChain?: string;
  readonly caKey?: string;
  readonly caKeyPassphraseFile?: string;
  readonly signer?: true;
  readonly put?: true;
  readonly env?: string;
}

const flags = new Command('keys:edge')
  .description('make the keys of a Worker in a data folder, as serve does, and set them as secrets')
  .requiredOption('--data <dir>', 'data folder; the same one also serves Node')
  .option('--passphrase-file <file>', 'file whose first line encrypts the keys in the folder')
  .option('--ca-chain <file>', 'PEM chain of an existing CA, issuing certificate first, root last')
  .option('--ca-key <file>', 'PEM private key of its first certificate')
  .option('--ca-key-passphrase-file <file>', 'file whose first line decrypts --ca-key')
  .option('--signer', 'the private keys go to the signer Worker, and the front gets chains alone')
  .option('--put', 'set the secrets; without it they are only listed')
  .option('--env <name>', 'environment of the wrangler configuration')
  .parse()
  .opts<Flags>();

function firstLine(file: string): string {
  return readFileSync(file, 'utf8').split(/\r?\n/)[0] ?? '';
}

function caOf({ caChain: chain, caKey: key, caKeyPassphraseFile }: Flags) {
  if (chain === undefined && key === undefined) return undefined;
  if (chain === undefined || key === undefined) throw new Error('--ca-chain and --ca-key go together');
  return {
    chain,
    key,
    ...(caKeyPassphraseFile !== undefined && { passphrase: firstLine(caKeyPassphraseFile) }),
  };
}

/** Over standard input: no key stands in a file, an argument or the environment on the way. */
async function put(config: string, secrets: KeySecrets): Promise<void> {
  const wrangler = fileURLToPath(new URL('../../node_modules/wrangler/bin/wrangler.js', import.meta.url));
  const path = fileURLToPath(new URL(config, import.meta.url));
  const args = ['secret', 'bulk', '--config', path, ...(flags.env === undefined ? [] : ['--env', flags.env])];
  const child = spawn(process.execPath, [wrangler, ...args], { stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin.end(JSON.stringify(secrets));
  const code = await new Promise((done) => child.once('close', done));
  if (code !== 0) throw new Error(`wrangler could not set the secrets of ${config}`);
}

try {
  const ca = caOf(flags);
  const secrets = await keySecrets({
    folder: resolve(flags.data),
    kind: 'serve',
    ...(flags.passphraseFile !== undefined && { passphrase: firstLine(flags.passphraseFile) }),
    ...(ca !== undefined && { ca }),
  });
  const targets: readonly (readonly [string, KeySecrets])[] =
    flags.signer === undefined
      ? [['wrangler.jsonc', secrets]]
      : [
          ['wrangler.signer.jsonc', keysIn(secrets)],
          ['wrangler.jsonc', chainsIn(secrets)],
        ];
  for (const [config, some] of targets) {
    const names = Object.keys(some).join(', ');
    if (flags.put === undefined) process.stdout.write(`${config}: ${names} (set with --put)\n`);
    else {
      await put(config, some);
      process.stdout.write(`${config}: ${names} are set\n`);
    }
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
