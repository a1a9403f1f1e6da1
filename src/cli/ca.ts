// ca: the certificate authority of an instance.

import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { systemClock } from '../clock.ts';
import type { Settings } from '../config/settings.ts';
import { decodePem } from '../encoding/pem.ts';
import { settingsAt } from '../node/keys/existing-ca.ts';
import { readGenerations, signsAt } from '../node/keys/generations.ts';
import { REQUEST_PART } from '../node/keys/instance.ts';
import { isEncrypted } from '../node/keys/key-file.ts';
import { chainFilesOf, KEY_PLACE } from '../node/keys/trusted-chains.ts';
import { csrCommand } from './ca-csr.ts';
import { importCommand } from './ca-import.ts';
import { initCommand } from './ca-init.ts';
import { rotateCommand } from './ca-rotate.ts';
import { signCommand } from './ca-sign.ts';
import { describeCa, factsOfCa } from './ca-words.ts';
import { distrustCommand } from './distrust.ts';
import { loadSettings, type ServeFlags } from './options.ts';
import { addOutcome, EXIT_FOUND_WRONG, type JsonFlag, type Outcome, tell } from './outcome.ts';
import { factsOf, linesOf } from './rotation-words.ts';

export function caCommand(): Command {
  return new Command('ca')
    .description('the certificate authority of an instance')
    .addCommand(showCommand())
    .addCommand(rotateCommand())
    .addCommand(distrustCommand(['ca', 'timestamp']))
    .addCommand(initCommand())
    .addCommand(csrCommand())
    .addCommand(signCommand())
    .addCommand(importCommand());
}

interface ShowFlags extends JsonFlag {
  config?: string;
  data?: string;
}

function showCommand(): Command {
  const command = new Command('show')
    .description('the chain that certificates are issued under, and where its keys are')
    .option(
      '--config <file>',
      'the configuration of the instance (default: ./mayfly.yaml, else the shipped one)',
    )
    .option('--data <dir>', 'the data folder of the instance (default: what the configuration says)');
  return addOutcome(command, 'printed', 'a certificate of the chain has expired').action((flags: ShowFlags) =>
    tell(flags, () => show(flags)),
  );
}

async function show({ config, data }: ShowFlags): Promise<Outcome> {
  const flags: ServeFlags = { ...(config !== undefined && { config }), ...(data !== undefined && { data }) };
  const { settings } = loadSettings(flags);
  const now = systemClock.now();
  const generations = await readGenerations(settings.data);
  const current = signsAt(generations.ca, now).part;
  const rotated = generations.ca.length > 1;
  const chain = chainFiles(settings, rotated ? current : undefined).flatMap(certificatesIn);
  const keys = keysOf(settings, rotated ? current : undefined);
  const facts = factsOf(generations, 'ca', now);
  const expired = chain.some((one) => factsOfCa(one).daysLeft < 0);
  return {
    lines: [
      ...chain.flatMap((one, i) => [...(i === 0 ? [] : ['']), ...describeCa(one)]),
      '',
      'Keys:',
      ...keys.map(({ place, state }) => `  ${printable(place)}  ${WORDS[state]}`),
      ...(rotated ? ['', 'Generations, oldest first:', ...linesOf(facts)] : []),
    ],
    object: { ok: !expired, chain: chain.map(factsOfCa), keys, ...(rotated && { generations: facts }) },
    exitCode: expired ? EXIT_FOUND_WRONG : 0,
  };
}

/** `part` is the generation in force, once there has been another. */
function chainFiles({ ca, data }: Settings, part: string | undefined): readonly string[] {
  if (part !== undefined) return chainFilesOf(data, part);
  if (ca !== undefined) return [ca.chain];
  const files = ['intermediate.pem', 'root.pem'].map((name) => join(data, 'ca', name));
  const [first = ''] = files;
  if (!existsSync(first))
    throw new Error(
      existsSync(join(data, REQUEST_PART))
        ? `${data} has no CA yet: it waits for the chain that "mayfly ca csr" asked for ("mayfly ca import")`
        : `${data} has no CA yet: the first start of mayfly serve makes it; name another folder with --data`,
    );
  return files;
}

function keysOf({ ca, data }: Pick<Settings, 'ca' | 'data'>, part: string | undefined): readonly Key[] {
  if (part !== undefined && part !== 'ca' && part !== 'ca-1') {
    const place = join(data, part, KEY_PLACE);
    if (!existsSync(place))
      return ['intermediate.key', 'root.key'].map((name) => keyAt(join(data, part, name)));
    const elsewhere = settingsAt('', read(place));
    return keysOf({ ca: elsewhere, data }, undefined);
  }
  if (ca === undefined) return ['intermediate.key', 'root.key'].map((name) => keyAt(join(data, 'ca', name)));
  if ('pkcs11' in ca) {
    const { token, keyLabel } = ca.pkcs11;
    return [{ place: `key "${keyLabel}" of the PKCS#11 token "${token}"`, state: 'elsewhere' }];
  }
  if ('vault' in ca) return [{ place: `key ${ca.vault.key} at ${ca.vault.url}`, state: 'elsewhere' }];
  return [keyAt(ca.key)];
}

function certificatesIn(file: string): readonly X509Certificate[] {
  try {
    return decodePem(read(file))
      .filter(({ label }) => label === 'CERTIFICATE')
      .map(({ der }) => new X509Certificate(der));
  } catch (cause) {
    throw new Error(`${file} holds no certificates in PEM`, { cause });
  }
}

const WORDS = {
  encrypted: 'encrypted',
  clear: 'in clear: readable for whoever can read the file',
  away: 'not here',
  elsewhere: 'it does not leave there',
} as const;

interface Key {
  readonly place: string;
  readonly state: keyof typeof WORDS;
}

/** Nothing of the key itself is looked at. */
function keyAt(place: string): Key {
  if (!existsSync(place)) return { place, state: 'away' };
  return { place, state: isEncrypted(read(place)) ? 'encrypted' : 'clear' };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`${file} cannot be read`, { cause });
  }
}
