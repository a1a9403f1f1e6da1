// A log on a fake disk, everything it ever signed, and the check that none of it was ever wrong.

import { createHash } from 'node:crypto';
import type { Signer } from '../../src/key/signer.ts';
import type { PrecertEntry, Sct } from '../../src/log/log.ts';
import { MemoryLeafIndex } from '../../src/log/memory.ts';
import { type OpenLog, openLog } from '../../src/log/open-log.ts';
import { FileJournal } from '../../src/node/file-journal.ts';
import { FileStore } from '../../src/node/file-store.ts';
import { sha256 } from '../../src/node/native-digest.ts';
import { type AuditedLog, audit, holds } from '../unit/log/audit.ts';
import { mth } from '../unit/log/reference.ts';
import { entryOf, ManualClock, ManualSchedule, p256Signer } from '../unit/log/support.ts';
import { FakeDisk } from './disk.ts';

const KEY = p256Signer();

export class LogRig {
  disk = new FakeDisk();
  readonly clock = new ManualClock();
  timers = new ManualSchedule();
  readonly errors: unknown[] = [];
  readonly received: { readonly sct: Sct; readonly entry: PrecertEntry }[] = [];
  readonly #signed: Buffer[] = [];
  #entries = 0;

  /** A rig that goes on from here on a copy of the disk; what it receives is its own. */
  fork(): LogRig {
    const rig = new LogRig();
    rig.disk = this.disk.copy();
    rig.#entries = this.#entries;
    rig.#signed.push(...this.#signed);
    return rig;
  }

  readonly signer: Signer = {
    ...KEY,
    sign: (message) => {
      this.#signed.push(Buffer.from(message));
      return KEY.sign(message);
    },
  };

  open(): Promise<OpenLog> {
    const { disk } = this;
    this.timers = new ManualSchedule();
    return openLog(
      {
        origin: 'log.example.com/2026',
        signer: this.signer,
        clock: this.clock,
        onError: (error) => this.errors.push(error),
      },
      {
        sha256,
        schedule: this.timers.schedule,
        journal: new FileJournal({ folder: '/journal', disk, sha256, segmentSize: 4096 }),
        store: new FileStore('/public', disk, 0o644),
        guard: new FileStore('/guard', disk, 0o600),
        leafIndex: new MemoryLeafIndex(),
      },
    );
  }

  /** Appends at once; returns how many were refused, each with 503. Anything else that goes wrong is thrown. */
  async append(log: OpenLog, count: number): Promise<number> {
    let refused = 0;
    const one = async (): Promise<void> => {
      const entry = entryOf(this.#entries++, 20);
      try {
        this.received.push({ sct: await log.log.append(entry), entry });
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'log_unavailable')) throw error;
        refused += 1;
      }
    };
    await Promise.all(Array.from({ length: count }, one));
    return refused;
  }

  /** Throws unless the log, as published now, bears out everything that was ever signed and received. */
  async check(log: OpenLog): Promise<AuditedLog> {
    const audited = await audit(log.reader, KEY.publicKey);
    for (const { sct, entry } of this.received)
      if (!holds(audited, KEY.publicKey, sct, entry.tbs))
        throw new Error(`an SCT is not in the tree: ${sct.extensions}`);
    let last = 0;
    for (const message of this.#signed) {
      if (message[1] === 0) {
        const index = message.readUIntBE(message.length - 5, 5);
        if (!audited.leaves[index]?.equals(message))
          throw new Error(`another leaf was signed for index ${index}`);
      } else {
        const size = Number(message.readBigUInt64BE(10));
        const timestamp = Number(message.readBigUInt64BE(2));
        if (size > audited.size || !message.subarray(18).equals(rootOver(audited, size)))
          throw new Error(`a tree head of ${size} was signed that this tree of ${audited.size} never had`);
        if (timestamp <= last) throw new Error('a tree head is no later than the one before');
        last = timestamp;
      }
    }
    return audited;
  }
}

const roots = new Map<string, Uint8Array>();

function rootOver({ leaves }: AuditedLog, size: number): Uint8Array {
  const key = createHash('sha256')
    .update(Buffer.concat(leaves.slice(0, size)))
    .digest('hex');
  const root = roots.get(key) ?? mth(leaves.slice(0, size));
  roots.set(key, root);
  return root;
}
