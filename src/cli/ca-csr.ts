// ca csr: asks for the certificate of an intermediate, whose key stays with the instance, in a token, or in a service.

import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import type { CaSettings } from '../config/ca-settings.ts';
import { hex } from '../encoding/bytes.ts';
import { type KeyPlace, passphraseOf } from '../node/keys/existing-ca.ts';
import type { CaCurve } from '../node/keys/new-ca.ts';
import { discardRequest, requestCa } from '../node/keys/pending-request.ts';
import { STEPS } from './ca-init.ts';
import { addOutcome, type Outcome, tell } from './outcome.ts';
import { addPlace, type PlaceFlags, settingsOf } from './rotation-words.ts';

interface CsrFlags extends PlaceFlags {
  out?: string;
  organization?: string;
  name?: string;
  curve: CaCurve;
  newKey?: boolean;
  keyLabel?: string;
  vaultKey?: string;
  discard?: boolean;
}

export function csrCommand(): Command {
  const command = addPlace(
    new Command('csr').description(
      'make a key for an intermediate and a PKCS#10 request for its certificate; asked again, it gives the same request',
    ),
  )
    .option('--out <file>', 'where the request goes (default: standard output)')
    .option('--organization <name>', 'organizationName that is asked for; with --name')
    .option('--name <name>', 'commonName that is asked for; with --organization')
    .addOption(
      new Option('--curve <curve>', 'of a key that is made here')
        .choices(['P-256', 'P-384'])
        .default('P-256'),
    )
    .option('--new-key', 'make a key here, though the configuration names an existing one')
    .option('--key-label <label>', 'another key of the PKCS#11 token that the configuration names')
    .option('--vault-key <name>', 'another key of the key management service that the configuration names')
    .option('--discard', 'take back a request that waits, and the key that was made for it');
  return addOutcome(command, 'there is a request', 'not used')
    .addHelpText('after', STEPS)
    .action((flags: CsrFlags) => tell(flags, () => csr(flags)));
}

async function csr(flags: CsrFlags): Promise<Outcome> {
  const settings = settingsOf(flags);
  const { data: folder, ca } = settings;
  if (flags.discard === true) {
    const discarded = await discardRequest(folder);
    return {
      lines: [discarded ? 'Taken back.' : 'There was no request.'],
      object: { ok: true, discarded },
    };
  }
  const { organization, name: commonName, out } = flags;
  if ((organization === undefined) !== (commonName === undefined))
    throw new Error('--organization and --name go together');
  const { pem, keyHash, again } = await requestCa({
    folder,
    name: organization !== undefined && commonName !== undefined ? { organization, commonName } : undefined,
    curve: flags.curve,
    passphrase: passphraseOf(settings),
    place: placeOf(flags, ca),
  });
  if (out !== undefined) await writeFile(out, pem);
  const fingerprint = hex(keyHash);
  return {
    lines:
      out === undefined
        ? [pem.trimEnd()]
        : [
            `${again ? 'The request that waits already is' : 'The request is'} in ${printable(out)}; there is nothing secret in it.`,
            `  key SHA-256  ${fingerprint}`,
            'Carry it to the root, and see that this fingerprint is told there:',
            `  mayfly ca sign ${printable(out)} --root ROOT --expect-key ${fingerprint} --out chain.pem`,
            'Then: mayfly ca import chain.pem',
          ],
    object: {
      ok: true,
      request: pem,
      keySha256: fingerprint,
      again,
      ...(out !== undefined && { file: out }),
    },
  };
}

/** Undefined for a key that is made here. */
function placeOf({ newKey, keyLabel, vaultKey }: CsrFlags, ca: CaSettings | undefined): KeyPlace | undefined {
  if ([newKey === true, keyLabel !== undefined, vaultKey !== undefined].filter(Boolean).length > 1)
    throw new Error('--new-key, --key-label and --vault-key are three different keys: name one');
  const pkcs11 = ca !== undefined && 'pkcs11' in ca ? ca.pkcs11 : undefined;
  const vault = ca !== undefined && 'vault' in ca ? ca.vault : undefined;
  if (keyLabel !== undefined && pkcs11 === undefined)
    throw new Error('--key-label takes a configuration whose ca names a PKCS#11 token');
  if (vaultKey !== undefined && vault === undefined)
    throw new Error('--vault-key takes a configuration whose ca names a key management service');
  if (ca === undefined || newKey === true) return undefined;
  if (pkcs11 !== undefined) {
    const { pinFile } = pkcs11;
    return { pkcs11: { ...pkcs11, pinFile: resolve(pinFile), keyLabel: keyLabel ?? pkcs11.keyLabel } };
  }
  if (vault !== undefined) {
    return { vault: { ...vault, tokenFile: resolve(vault.tokenFile), key: vaultKey ?? vault.key } };
  }
  if (!('key' in ca)) throw new TypeError('a CA has its key somewhere');
  const { key, passphraseFile } = ca;
  return {
    key: resolve(key),
    ...(passphraseFile !== undefined && { passphraseFile: resolve(passphraseFile) }),
  };
}
