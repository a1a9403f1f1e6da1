// What tests of the log share: keys, entries, a log in a throw-away folder, and a schedule that never fires by itself.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll } from 'vitest';
import { type Clock, type Instant, instantOf } from '../../../src/clock.ts';
import type { Bytes } from '../../../src/encoding/bytes.ts';
import type { Signer } from '../../../src/key/signer.ts';
import type { OpenLog } from '../../../src/log/open-log.ts';
import type { Schedule } from '../../../src/log/schedule.ts';
import { type FileLogOptions, openFileLog } from '../../../src/node/log/file-log.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { CHAIN, entryOf } from './entries.ts';

export { sha256 };

export function p256Signer(): Signer & { readonly pem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    algorithm: 'ecdsa-p256-sha256',
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: (message) => sign('sha256', message, privateKey),
  };
}

export function ed25519Signer(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    algorithm: 'ed25519',
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    sign: (message) => sign(null, message, privateKey),
  };
}

export { CHAIN, entryOf };

/** Runs what is due only when told to. */
export class ManualSchedule {
  #tasks: (() => void)[] = [];

  readonly schedule: Schedule = (task) => {
    this.#tasks.push(task);
    return () => {
      this.#tasks = this.#tasks.filter((other) => other !== task);
    };
  };

  runDue(): void {
    for (const task of this.#tasks.splice(0)) task();
  }
}

export class ManualClock implements Clock {
  value: number;
  constructor(value = 1_800_000_000_000) {
    this.value = value;
  }
  now(): Instant {
    return instantOf(this.value);
  }
}

const folders: string[] = [];

export function temporaryFolder(): string {
  const folder = mkdtempSync(`${tmpdir()}/mayfly-log-`);
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export const ORIGIN = 'log.example.com/2026';

/** A small log; what is not given is made up. */
export function openLog(
  options: Partial<FileLogOptions> & { folder: string; signer: Signer },
): Promise<OpenLog> {
  return openFileLog({
    origin: ORIGIN,
    clock: new ManualClock(),
    schedule: new ManualSchedule().schedule,
    segmentSize: 2 ** 16,
    ...options,
  });
}

export function randomHash(): Bytes {
  return randomBytes(32);
}
