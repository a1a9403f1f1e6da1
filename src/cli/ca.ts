// ca: the certificate authority of an instance.

import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import type { Settings } from '../config/settings.ts';
import { decodePem } from '../encoding/pem.ts';
import { isEncrypted } from '../node/key-file.ts';
import { rotateCommand } from './ca-rotate.ts';
import { describeCa, factsOfCa } from './ca-words.ts';
import { loadSettings, type ServeFlags } from './options.ts';
import { addOutcome, EXIT_FOUND_WRONG, type JsonFlag, type Outcome, tell } from './outcome.ts';

export function caCommand(): Command {
  return new Command('ca')
    .description('the certificate authority of an instance')
    .addCommand(showCommand())
    .addCommand(rotateCommand());
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

function show({ config, data }: ShowFlags): Outcome {
  const flags: ServeFlags = { ...(config !== undefined && { config }), ...(data !== undefined && { data }) };
  const { settings } = loadSettings(flags);
  const chain = chainFiles(settings).flatMap(certificatesIn);
  const keys = keysOf(settings);
  const expired = chain.some((one) => factsOfCa(one).daysLeft < 0);
  return {
    lines: [
      ...chain.flatMap((one, i) => [...(i === 0 ? [] : ['']), ...describeCa(one)]),
      '',
      'Keys:',
      ...keys.map(({ place, state }) => `  ${printable(place)}  ${WORDS[state]}`),
    ],
    object: { ok: !expired, chain: chain.map(factsOfCa), keys },
    exitCode: expired ? EXIT_FOUND_WRONG : 0,
  };
}

function chainFiles({ ca, data }: Settings): readonly string[] {
  if (ca !== undefined) return [ca.chain];
  const files = ['intermediate.pem', 'root.pem'].map((name) => join(data, 'ca', name));
  const [first = ''] = files;
  if (!existsSync(first))
    throw new Error(
      `${data} has no CA yet: the first start of mayfly serve makes it; name another folder with --data`,
    );
  return files;
}

function keysOf({ ca, data }: Settings): readonly Key[] {
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
