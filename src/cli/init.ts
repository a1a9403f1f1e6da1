// init: a first configuration file for one issuer, with comments, and never over a file that is there.

import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { draftLines, type IssuerDraft, KNOWN_ISSUERS } from '../config/issuer-draft.ts';
import { narrowing } from '../config/public-issuer.ts';
import { parseSettings } from '../config/settings.ts';
import { loadKinds } from '../node/settings/shipped-configuration.ts';
import { VERSION } from '../version.ts';
import { addOutcome, type JsonFlag, type Outcome, tell } from './outcome.ts';

interface InitFlags extends JsonFlag {
  url?: string;
  name?: string;
  audience: string;
  allow?: ReadonlyMap<string, readonly string[]>;
  allowAny?: boolean;
  out: string;
}

export function initCommand(): Command {
  const kinds = Object.entries(KNOWN_ISSUERS);
  const command = new Command('init')
    .description('write a first mayfly.yaml, with comments, for one issuer')
    .argument('<issuer>', `whose tokens to take: ${kinds.map(([name]) => name).join(', ')}`)
    .option('--url <url>', 'the iss of its tokens; needed where each site has its own')
    .option('--name <name>', 'for logs and metrics (default: the issuer as named here)')
    .option('--audience <name>', 'what tokens must be for', 'sigstore')
    .option('--allow <claim=value>', 'who may have a certificate; may be repeated', collect)
    .option('--allow-any', 'anybody with an account at a public issuer may have a certificate')
    .addOption(new Option('--out <file>', 'where the file goes').default('mayfly.yaml'))
    .addHelpText(
      'after',
      `\nIssuers:\n${kinds.map(([name, { title, example }]) => `  ${name.padEnd(11)} ${title}, ${example}`).join('\n')}`,
    );
  return addOutcome(command, 'the file is written', 'not used').action((issuer: string, flags: InitFlags) =>
    tell(flags, () => init(issuer, flags)),
  );
}

/** Throws commander's error for text without a claim. */
export function collect(
  text: string,
  before: ReadonlyMap<string, readonly string[]> = new Map(),
): ReadonlyMap<string, readonly string[]> {
  const [, claim, value] = /^([^=\s]+)=(.+)$/.exec(text) ?? [];
  if (claim === undefined || value === undefined) throw new InvalidArgumentError('takes CLAIM=VALUE');
  return new Map([...before, [claim, [...(before.get(claim) ?? []), value]]]);
}

async function init(issuer: string, flags: InitFlags): Promise<Outcome> {
  const draft = draftOf(issuer, flags);
  const text = configurationText(draft, issuer);
  parseSettings(text, { fileName: flags.out, kinds: loadKinds() });
  try {
    await writeFile(flags.out, text, { flag: 'wx' });
  } catch (cause) {
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    throw new Error(
      exists
        ? `${flags.out} is there already; name another file with --out`
        : `${flags.out} cannot be written`,
      { cause },
    );
  }
  const own = flags.out === 'mayfly.yaml' ? '' : ` --config ${flags.out}`;
  return {
    lines: [
      `Wrote ${flags.out}: certificates for ${KNOWN_ISSUERS[issuer]?.title ?? issuer}.`,
      'Look at it, then:',
      `  mayfly config check${own === '' ? '' : ` ${flags.out}`}`,
      `  mayfly issuer check ${draft.url}`,
      `  mayfly serve${own}`,
    ],
    object: { ok: true, file: flags.out, issuer: draft.url },
  };
}

function draftOf(issuer: string, flags: InitFlags): IssuerDraft {
  const known = Object.hasOwn(KNOWN_ISSUERS, issuer) ? KNOWN_ISSUERS[issuer] : undefined;
  if (known === undefined)
    throw new Error(
      `${issuer} is no issuer that init knows; it takes ${Object.keys(KNOWN_ISSUERS).join(', ')}`,
    );
  const url = flags.url ?? known.url;
  if (url === undefined) throw new Error(`each site has its own: add --url, such as ${known.example}`);
  const require = flags.allow ?? new Map<string, readonly string[]>();
  if (require.size === 0 && flags.allowAny !== true && narrowing(url) !== undefined) {
    const who = known.claim === undefined ? 'CLAIM=VALUE' : `${known.claim}=...`;
    throw new Error(
      `anybody can have an account at ${url}: say who is meant with --allow ${who}, or --allow-any where that is meant`,
    );
  }
  const { type } = known;
  const { name = issuer, audience, allowAny = false } = flags;
  return { name, url, audience, type, require, allowAny };
}

export function configurationText(draft: IssuerDraft, issuer: string): string {
  return `# Mayfly's configuration, begun by "mayfly init ${issuer}" (${VERSION}).
# Everything that is not here has its default: "mayfly config show" tells them all, "mayfly config schema" what each takes.
# A running instance reads the file again when it changes: issuers, policies and rate limits need no restart.

# host: 0.0.0.0                     # to be reached from elsewhere than this machine
# public-url: https://ca.example.com   # where clients reach this instance, behind a proxy
data: ./mayfly-data                 # keys and log: back this folder up, and let nobody else read it
# key-passphrase-file: passphrase.txt  # encrypts the keys; set it before the first start

issuers:
${draftLines(draft)
  .map((line) => `  ${line}`)
  .join('\n')}
`;
}
