// A process that appends to a log as fast as it can and says what it got, until it is killed.

import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { systemClock } from '../../src/clock.ts';
import { base64 } from '../../src/encoding/bytes.ts';
import type { Signer } from '../../src/key/signer.ts';
import { openFileLog } from '../../src/node/log/file-log.ts';
import { entryOf } from '../unit/log/entries.ts';

/** Prints at once: a line that was printed was seen. */
const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);

export function signerOf(pem: string): Signer {
  const key = createPrivateKey(pem);
  return {
    algorithm: 'ecdsa-p256-sha256',
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }),
    sign: (message) => sign('sha256', message, key),
  };
}

if (import.meta.main) {
  const [folder = '', keyFile = '', first = '0'] = process.argv.slice(2);
  say({ opening: true });
  const started = performance.now();
  const { log, reader } = await openFileLog({
    folder,
    origin: 'log.example.com/crash',
    signer: signerOf(readFileSync(keyFile, 'utf8')),
    clock: systemClock,
    segmentSize: 2 ** 18,
    publicationDelay: 5,
  });
  say({ opened: performance.now() - started });
  let n = Number(first);
  const append = async (): Promise<never> => {
    for (;;) {
      const entry = n++;
      const { timestamp, extensions, signature } = await log.append(entryOf(entry));
      say({ entry, timestamp, extensions: base64(extensions), signature: base64(signature) });
    }
  };
  const watch = async (): Promise<never> => {
    for (;;) {
      await reader.published(reader.size);
      say({ checkpoint: base64(reader.checkpoint()) });
    }
  };
  await Promise.all([watch(), ...Array.from({ length: 8 }, append)]);
}
