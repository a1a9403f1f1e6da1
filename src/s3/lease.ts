// Lease: an object by which the process that leads shows that it lives, so that another knows when to take over. Nothing
// but politeness rests on it: what keeps a second writer out are the conditions of the writes themselves.

import { fromUtf8, hex, utf8 } from '../encoding/bytes.ts';
import type { Bucket, Condition } from './bucket.ts';

const KEY = 'leader';

interface Seen {
  readonly holder: string;
  readonly released: boolean;
  readonly condition: Condition;
  /** When this state was first seen, by this process's own steady clock, milliseconds. */
  readonly since: number;
}

export class Lease {
  readonly #bucket: Bucket;
  readonly #id: string;
  readonly #lapse: number;
  #seen: Seen | undefined;
  #beats = 0;

  /** `id`: 16 random bytes of this process. A lease that shows no sign of life for `lapse` milliseconds may be taken. */
  constructor(bucket: Bucket, id: Uint8Array, lapse: number) {
    this.#bucket = bucket;
    this.#id = hex(id);
    this.#lapse = lapse;
  }

  /** Takes the lease if it is free, lapsed, or this process's own already; false when another process holds it. */
  async claim(): Promise<boolean> {
    const seen = await this.#look();
    const free = seen.released || seen.holder === this.#id || performance.now() - seen.since >= this.#lapse;
    return free && this.#write(seen.condition, 'leads');
  }

  /** Shows that this process lives; false when another one has taken the lease. */
  async beat(): Promise<boolean> {
    if (this.#seen?.holder === this.#id && (await this.#write(this.#seen.condition, 'leads'))) return true;
    const seen = await this.#look();
    return seen.holder === this.#id && this.#write(seen.condition, 'leads');
  }

  /** Lets the next one in at once. */
  async release(): Promise<void> {
    if (this.#seen?.holder === this.#id) await this.#write(this.#seen.condition, 'released');
  }

  async #look(): Promise<Seen> {
    const stored = await this.#bucket.get(KEY);
    const condition: Condition = stored === undefined ? { absent: true } : { etag: stored.etag };
    const [holder = '', state] = stored === undefined ? [] : fromUtf8(stored.bytes).split('\n');
    const last = this.#seen;
    const same =
      last !== undefined &&
      'etag' in last.condition &&
      'etag' in condition &&
      last.condition.etag === condition.etag;
    this.#seen = {
      holder,
      released: stored === undefined || state === 'released',
      condition,
      since: same ? last.since : performance.now(),
    };
    return this.#seen;
  }

  /** Each content differs from all before, so that each has an ETag of its own. */
  async #write(condition: Condition, state: 'leads' | 'released'): Promise<boolean> {
    this.#beats += 1;
    const text = `${this.#id}\n${state}\n${this.#beats}\n`;
    const written = await this.#bucket.put(KEY, utf8(text), condition);
    if (written !== 'refused') {
      this.#seen = {
        holder: this.#id,
        released: state === 'released',
        condition: written,
        since: performance.now(),
      };
      return true;
    }
    const stored = await this.#bucket.get(KEY);
    if (stored === undefined || fromUtf8(stored.bytes) !== text) return false;
    this.#seen = {
      holder: this.#id,
      released: state === 'released',
      condition: { etag: stored.etag },
      since: performance.now(),
    };
    return true;
  }
}
