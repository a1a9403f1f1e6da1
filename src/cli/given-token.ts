// Given token: a token as somebody hands it over: a file that holds it, standard input, or itself as it was pasted.

import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';

export interface GivenToken {
  token?: string;
  tokenFile?: string;
}

/** `--token`, and `--token-file` for whoever knows the other command by heart. */
export function addGivenToken(command: Command, what: string): Command {
  return command
    .option('--token <token>', `${what}: a file that holds one, - for standard input, or the token itself`)
    .addOption(new Option('--token-file <file>', 'the same').conflicts('token'));
}

/** The JWT alone. Throws an Error with a sentence, which never holds a token. */
export function givenToken({ token, tokenFile }: GivenToken): string | undefined {
  const given = token ?? tokenFile;
  if (given === undefined) return undefined;
  return bare(given === '-' ? read(0, 'standard input') : isToken(given) ? given : read(given, given));
}

/** A header of JSON, in base64url. */
function isToken(given: string): boolean {
  return /^eyJ[\w-]+\./.test(bare(given));
}

/** Without what a header, a shell, a JSON document or the width of a terminal put around it and into it. */
function bare(pasted: string): string {
  return pasted
    .trim()
    .replace(/^["']|["']$/g, '')
    .replace(/^(?:authorization:\s*)?bearer\s+/i, '')
    .replace(/\s+/g, '');
}

function read(file: string | 0, name: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`the token file ${name} cannot be read`, { cause });
  }
}
