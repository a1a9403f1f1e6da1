// A log on a fake disk, with the ledger of everything that it signed.

import type { Clock } from '../../src/clock.ts';
import { MemoryLeafIndex } from '../../src/log/memory.ts';
import { type OpenLog, openLog } from '../../src/log/open-log.ts';
import { FileJournal } from '../../src/node/log/file-journal.ts';
import { FileStore } from '../../src/node/log/file-store.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import type { AuditedLog } from '../unit/log/audit.ts';
import { ManualClock, ManualSchedule } from '../unit/log/support.ts';
import { FakeDisk } from './disk.ts';
import { LogLedger } from './log-ledger.ts';

export class LogRig {
  disk = new FakeDisk();
  readonly clock = new ManualClock();
  timers = new ManualSchedule();
  readonly errors: unknown[] = [];
  readonly ledger: LogLedger;

  constructor(ledger = new LogLedger()) {
    this.ledger = ledger;
  }

  /** A rig that goes on from here on a copy of the disk; what it receives is its own. */
  fork(): LogRig {
    const rig = new LogRig(this.ledger.fork());
    rig.disk = this.disk.copy();
    return rig;
  }

  get received(): LogLedger['received'] {
    return this.ledger.received;
  }

  open(clock: Clock = this.clock): Promise<OpenLog> {
    const { disk } = this;
    this.timers = new ManualSchedule();
    return openLog(
      {
        origin: 'log.example.com/2026',
        signer: this.ledger.signer,
        clock,
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

  /** As LogLedger.append. */
  append(log: OpenLog, count: number): Promise<number> {
    return this.ledger.append((entry) => log.log.append(entry), count);
  }

  /** Throws unless the log, as published now, bears out everything that was ever signed and received. */
  check(log: OpenLog): Promise<AuditedLog> {
    return this.ledger.check(log.reader);
  }
}
