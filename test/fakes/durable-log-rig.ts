// The edge's log on a fake platform: lives that follow each other, and the ledger of everything that they signed.

import { MAXIMUM_MERGE_DELAY } from '../../src/log/description.ts';
import type { Sct } from '../../src/log/log.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { DurableLog } from '../../src/workers/durable-log.ts';
import { EdgeLog } from '../../src/workers/edge-log.ts';
import type { AuditedLog } from '../unit/log/audit.ts';
import { ed25519Signer, ManualClock } from '../unit/log/support.ts';
import { Platform } from './durable-object.ts';
import { LogLedger } from './log-ledger.ts';

const COSIGNER = ed25519Signer();

export class DurableLogRig {
  readonly platform: Platform;
  readonly ledger: LogLedger;
  readonly clock: ManualClock;
  readonly errors: unknown[] = [];

  constructor(platform = new Platform(), ledger = new LogLedger(), now?: number) {
    this.platform = platform;
    this.ledger = ledger;
    this.clock = new ManualClock(now);
  }

  /** A rig that goes on from here; what it does changes nothing in this one. */
  fork(): DurableLogRig {
    return new DurableLogRig(this.platform.copy(), this.ledger.fork(), this.clock.value);
  }

  /** The object starts: in the place of an older one, if there is one. */
  start(): DurableLog {
    return new DurableLog({
      storage: this.platform.start(),
      bucket: this.platform.bucket(),
      origin: 'log.example.com/log',
      keys: async () => ({ signer: this.ledger.signer, cosigner: COSIGNER }),
      wait: async (milliseconds) => {
        this.clock.value += milliseconds;
      },
      onError: (error) => this.errors.push(error),
      clock: this.clock,
    });
  }

  /** What a stateless Worker sees. */
  front(log: DurableLog): EdgeLog {
    return new EdgeLog({
      find: () => log,
      get: async (key) => this.platform.objects.get(key)?.bytes,
      publicKey: this.ledger.signer.publicKey,
      logId: sha256(this.ledger.signer.publicKey),
      now: () => this.clock.value,
    });
  }

  /** Appends at once; returns how many were refused. */
  append(log: DurableLog, count: number): Promise<number> {
    const front = this.front(log);
    return this.ledger.append((entry): Promise<Sct> => front.append(entry), count);
  }

  /** Lets the durable alarm ring, if there is one, and whatever follows from it come to rest. */
  async ring(log: DurableLog): Promise<boolean> {
    await settle();
    this.platform.rest();
    const at = this.platform.alarm;
    if (at === undefined) return false;
    if (at - this.clock.value > MAXIMUM_MERGE_DELAY * 1000) throw new Error('the alarm rings too late');
    this.clock.value = Math.max(this.clock.value, at);
    await this.platform.ring(() => log.alarm());
    await settle();
    this.platform.rest();
    return true;
  }

  /** Throws unless the public sees everything that came out of this log, as it was. */
  async check(log: DurableLog): Promise<AuditedLog> {
    const reader = await this.front(log).reader();
    const audited = await this.ledger.check(reader);
    const shown = this.platform.objects.get('checkpoint');
    if (shown === undefined) throw new Error('the bucket shows no checkpoint');
    if (!Buffer.from(shown.bytes).equals(reader.checkpoint()))
      throw new Error('bucket and object show different checkpoints');
    return audited;
  }
}

/** Everything here is done in microtasks, so one turn of the event loop is the end of it; a few make sure. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
