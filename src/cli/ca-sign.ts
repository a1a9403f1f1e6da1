// ca sign: an offline root certifies the key of a request.

import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { AuthorityError } from '../certificate/authority-error.ts';
import { printable } from '../certificate/plain-words.ts';
import { type Bytes, fromHex, hex } from '../encoding/bytes.ts';
import { firstLine } from '../node/keys/existing-ca.ts';
import { pemOfChain } from '../node/keys/next-ca.ts';
import { openOfflineRoot, signCaRequest } from '../node/keys/offline-root.ts';
import { STEPS } from './ca-init.ts';
import { describeCa, factsOfCa } from './ca-words.ts';
import { addOutcome, EXIT_FOUND_WRONG, type JsonFlag, type Outcome, tell } from './outcome.ts';

interface SignFlags extends JsonFlag {
  root: string;
  passphraseFile?: string;
  expectKey?: Bytes;
  out?: string;
}

export function signCommand(): Command {
  const command = new Command('sign')
    .description('certify the key of a request of "mayfly ca csr" with an offline root')
    .argument('<request>', 'PEM file of a PKCS#10 request')
    .requiredOption('--root <dir>', 'the folder that "mayfly ca init" made')
    .option('--passphrase-file <file>', 'file whose first line decrypts the key of the root')
    .option(
      '--expect-key <sha256>',
      'sign only for the key with this SHA-256, as "mayfly ca csr" told it',
      digest,
    )
    .option('--out <file>', 'where the chain goes (default: standard output)');
  return addOutcome(command, 'signed', 'the request is refused; nothing was signed')
    .addHelpText('after', STEPS)
    .action((request: string, flags: SignFlags) => tell(flags, () => sign(request, flags)));
}

function digest(text: string): Bytes {
  const bytes = /^[0-9a-f]{64}$/.test(text.toLowerCase()) ? fromHex(text.toLowerCase()) : undefined;
  if (bytes === undefined) throw new InvalidArgumentError('a SHA-256 is 64 hexadecimal digits');
  return bytes;
}

async function sign(file: string, flags: SignFlags): Promise<Outcome> {
  const { root: folder, passphraseFile, expectKey, out } = flags;
  const passphrase = passphraseFile === undefined ? undefined : firstLine(passphraseFile);
  const request = await readFile(file).catch((cause: unknown) => {
    throw new Error(`${file} cannot be read`, { cause });
  });
  const root = await openOfflineRoot(folder, passphrase);
  try {
    const { chain, keyHash } = await signCaRequest(new Uint8Array(request), root, expectKey);
    const pem = pemOfChain(chain);
    if (out !== undefined) await writeFile(out, pem);
    const certificates = chain.map((der) => new X509Certificate(der));
    return {
      lines:
        out === undefined
          ? [pem.trimEnd()]
          : [
              ...certificates.flatMap((one) => describeCa(one)),
              '',
              `  key SHA-256  ${hex(keyHash)}${expectKey === undefined ? ': compare it with what "mayfly ca csr" said before you hand this over' : ', as expected'}`,
              `The chain is in ${printable(out)}. Next, on the instance: mayfly ca import ${printable(out)}`,
            ],
      object: { ok: true, chain: certificates.map(factsOfCa), keySha256: hex(keyHash), pem },
    };
  } catch (failure) {
    if (!(failure instanceof AuthorityError)) throw failure;
    return {
      lines: [printable(failure.message)],
      object: { ok: false, code: failure.code, message: failure.message },
      exitCode: EXIT_FOUND_WRONG,
    };
  }
}
