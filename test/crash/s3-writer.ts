// A process that appends to a log in a bucket whenever it leads, and says what it got and what it saw.

import { readFileSync, writeSync } from 'node:fs';
import { systemClock } from '../../src/clock.ts';
import { base64 } from '../../src/encoding/bytes.ts';
import { openS3Log } from '../../src/node/log/s3-log.ts';
import { Problem } from '../../src/problem.ts';
import type { BucketOptions } from '../../src/s3/bucket.ts';
import { entryOf } from '../unit/log/entries.ts';
import { signerOf } from './log-writer.ts';

/** Prints at once: a line that was printed was seen. */
const say = (line: object): void => {
  for (let rest = Buffer.from(`${JSON.stringify(line)}\n`); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      // The pipe is full until its reader has been at work.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
};

export const BEAT = 300;

if (import.meta.main) {
  const [keyFile = '', bucket = '{}', first = '0'] = process.argv.slice(2);
  const log = await openS3Log({
    origin: 'log.example.com/crash',
    signer: signerOf(readFileSync(keyFile, 'utf8')),
    clock: systemClock,
    publicationDelay: 20,
    beat: BEAT,
    bucket: JSON.parse(bucket) as Pick<
      BucketOptions,
      'endpoint' | 'bucket' | 'region' | 'prefix' | 'credentials'
    >,
    onError: (error) => say({ error: String(error) }),
  });
  let n = Number(first);
  let open = true;
  log.onOpened?.(async () => say({ leads: true }));
  say({ started: true });
  const pause = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, milliseconds));
  const append = async (): Promise<void> => {
    while (open) {
      const entry = n++;
      try {
        const { timestamp, extensions, signature } = await log.log.append(entryOf(entry, 100));
        say({ entry, timestamp, extensions: base64(extensions), signature: base64(signature) });
      } catch (error) {
        if (!(error instanceof Problem && (error.code === 'log_unavailable' || error.code === 'draining')))
          throw error;
        await pause(10);
      }
    }
  };
  const watch = async (): Promise<void> => {
    let last = '';
    while (open) {
      const checkpoint = log.reader.opened ? base64(log.reader.checkpoint()) : last;
      if (checkpoint !== last) say({ checkpoint });
      last = checkpoint;
      await pause(10);
    }
  };
  process.once('SIGTERM', () => {
    open = false;
  });
  await Promise.all([watch(), ...Array.from({ length: 4 }, append)]);
  await log.close();
  process.exit();
}
