// Log object: the Durable Object of the log; all calls are one after the other's turns in a single place of the world.

import { DurableObject } from 'cloudflare:workers';
import type { Bytes } from '../encoding/bytes.ts';
import type { PrecertEntry, Sct } from '../log/log.ts';
import type { Outcome } from '../problem-wire.ts';
import { settings } from './bundle.ts';
import { DurableLog } from './durable-log.ts';
import type { Environment } from './environment.ts';
import type { LogService, LogSnapshot } from './log-service.ts';
import { reportError } from './report.ts';
import { signerOf } from './signer-choice.ts';
import { witnessesOf } from './witnesses.ts';

export class LogObject extends DurableObject<Environment> implements LogService {
  readonly #log: DurableLog;

  constructor(state: DurableObjectState, environment: Environment) {
    super(state, environment);
    this.#log = new DurableLog({
      storage: state.storage,
      bucket: environment.LOG_BUCKET,
      origin: `${settings.publicUrl.replace(/^https?:\/\//, '')}/log`,
      keys: async () => ({
        signer: await signerOf(environment, 'LOG_KEY'),
        cosigner: await signerOf(environment, 'NOTE_KEY'),
      }),
      witnesses: witnessesOf(settings.witnesses),
      wait: (milliseconds) => scheduler.wait(milliseconds),
      onError: (error) => reportError('log', error),
    });
  }

  append(entry: PrecertEntry): Promise<Outcome<Sct>> {
    return this.#log.append(entry);
  }

  snapshot(): Promise<Outcome<LogSnapshot>> {
    return this.#log.snapshot();
  }

  edge(from: number, to: number): Promise<Outcome<Bytes | undefined>> {
    return this.#log.edge(from, to);
  }

  candidates(hash: Bytes): Promise<Outcome<readonly number[]>> {
    return this.#log.candidates(hash);
  }

  override alarm(): Promise<void> {
    return this.#log.alarm();
  }
}
