// Log ledger: everything that a log's key ever signed and every SCT that came out, and the check that none of it was wrong.

import { createHash } from 'node:crypto';
import type { Bytes } from '../../src/encoding/bytes.ts';
import type { Signer } from '../../src/key/signer.ts';
import type { PrecertEntry, Sct } from '../../src/log/log.ts';
import type { Reader } from '../../src/log/reader.ts';
import { type AuditedLog, audit, holds } from '../unit/log/audit.ts';
import { mth } from '../unit/log/reference.ts';
import { entryOf, p256Signer } from '../unit/log/support.ts';

const KEY = p256Signer();

export class LogLedger {
  readonly received: { readonly sct: Sct; readonly entry: PrecertEntry }[] = [];
  readonly #signed: Buffer[] = [];
  #entries = 0;

  /** What was signed goes along; what is received from here on is the fork's own. */
  fork(): LogLedger {
    const ledger = new LogLedger();
    ledger.#entries = this.#entries;
    ledger.#signed.push(...this.#signed);
    return ledger;
  }

  readonly signer: Signer = {
    ...KEY,
    sign: (message): Bytes | Promise<Bytes> => {
      this.#signed.push(Buffer.from(message));
      return KEY.sign(message);
    },
  };

  /** Appends at once; returns how many were refused, each with 503. Anything else that goes wrong is thrown. */
  async append(append: (entry: PrecertEntry) => Promise<Sct>, count: number): Promise<number> {
    let refused = 0;
    const one = async (): Promise<void> => {
      const entry = entryOf(this.#entries++, 20);
      try {
        this.received.push({ sct: await append(entry), entry });
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'log_unavailable')) throw error;
        refused += 1;
      }
    };
    await Promise.all(Array.from({ length: count }, one));
    return refused;
  }

  /** Throws unless the log, as published now, bears out everything that was ever signed and received. */
  async check(reader: Reader): Promise<AuditedLog> {
    const audited = await audit(reader, KEY.publicKey);
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
