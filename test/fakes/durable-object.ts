// A Durable Object's storage, its alarm and a bucket, that outlive the object; each step may fail or kill the object.

import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Bucket } from '../../src/workers/bucket-store.ts';
import type { Sql, SqlDatabase } from '../../src/workers/sql.ts';

export type Step = 'write' | 'sync' | 'alarm' | 'put' | 'get';

/**
 * `before` and `after`: the object dies there. `refused`: the bucket says no. `lost`: it says no, but has done it.
 * `waits`: nothing goes on until `resume`.
 */
export type Fate = 'before' | 'after' | 'refused' | 'lost' | 'waits';

/** Asked at each step; undefined lets it succeed. */
export type Plan = (step: Step, detail: string) => Fate | undefined;

type Write =
  | { readonly query: string; readonly bindings: readonly SQLInputValue[] }
  | { readonly alarm: number };

export class ObjectDied extends Error {
  override readonly name = 'ObjectDied';
}

/** What is left when an object dies, and what the next one of the same name finds. */
export class Platform {
  plan: Plan = () => undefined;
  readonly objects: Map<string, { readonly bytes: Uint8Array<ArrayBuffer>; readonly etag: string }>;
  /** Whole transactions, in order. */
  readonly #durable: (readonly Write[])[];
  #storage: ObjectStorage | undefined;
  #versions = 0;
  #resume: (() => void)[] = [];

  constructor(durable: readonly (readonly Write[])[] = [], objects: Platform['objects'] = new Map()) {
    this.#durable = [...durable];
    this.objects = new Map(objects);
  }

  copy(): Platform {
    return new Platform(this.#durable, this.objects);
  }

  /** When the durable alarm rings; undefined for none. */
  get alarm(): number | undefined {
    const at = this.#durable.flat().findLast((write) => 'alarm' in write)?.alarm;
    return at === Number.POSITIVE_INFINITY ? undefined : at;
  }

  /** Entries under the checkpoint in the bucket; 0 where there is none. */
  shownSize(): number {
    const shown = this.objects.get('checkpoint')?.bytes ?? new Uint8Array();
    return Number(new TextDecoder().decode(shown).split('\n')[1] ?? 0);
  }

  /**
   * Runs the handler as the platform does: it has ended once what it wrote is durable, and an object that dies before
   * that is rung again.
   */
  async ring(handler: () => Promise<void>): Promise<void> {
    const storage = this.#storage;
    const taken = { alarm: Number.POSITIVE_INFINITY };
    storage?.take(taken);
    await handler();
    storage?.rest();
    if (storage?.dead === true)
      this.#durable.splice(
        this.#durable.findIndex((writes) => writes.includes(taken)),
        1,
      );
  }

  /** What a living object has written becomes durable by and by. */
  rest(): void {
    this.#storage?.rest();
  }

  /** A new object takes over; what an older one still writes has no effect and fails. */
  start(): SqlDatabase & { setAlarm(at: number): Promise<void> } {
    this.#storage?.supersede();
    this.#storage = new ObjectStorage(this, this.#durable);
    return this.#storage;
  }

  /** Lets everything go on that waits. */
  resume(): void {
    for (const resume of this.#resume.splice(0)) resume();
  }

  fate(step: Step, detail: string): Fate | undefined {
    return this.plan(step, detail);
  }

  pause(): Promise<void> {
    return new Promise((resolve) => this.#resume.push(resolve));
  }

  /** The bucket as the object of this moment reaches it. */
  bucket(): Bucket {
    const alive = this.#storage;
    const run = async <T>(step: 'put' | 'get', key: string, act: () => T): Promise<T> => {
      const fate = this.fate(step, key);
      if (fate === 'waits') await this.pause();
      if (alive?.dead === true || fate === 'before') throw alive?.die();
      if (fate === 'refused') throw new Error(`429 for ${key}`);
      await Promise.resolve();
      const result = act();
      if (fate === 'lost') throw new Error(`no answer for ${key}`);
      if (fate === 'after') throw alive?.die();
      return result;
    };
    return {
      get: (key) =>
        run('get', key, () => {
          const found = this.objects.get(key);
          if (found === undefined) return null;
          return { etag: found.etag, arrayBuffer: async () => found.bytes.slice().buffer };
        }),
      put: (key, bytes, { onlyIf }) =>
        run('put', key, () => {
          const found = this.objects.get(key);
          const holds = 'etagMatches' in onlyIf ? found?.etag === onlyIf.etagMatches : found === undefined;
          if (!holds) return null;
          this.#versions += 1;
          const etag = `v${this.#versions}`;
          this.objects.set(key, { bytes: Uint8Array.from(bytes), etag });
          return { etag };
        }),
    };
  }
}

class ObjectStorage implements SqlDatabase {
  readonly #platform: Platform;
  readonly #durable: (readonly Write[])[];
  readonly #live = new DatabaseSync(':memory:');
  #pending: Write[][] = [];
  #transaction: Write[] | undefined;
  #superseded = false;
  dead = false;

  constructor(platform: Platform, durable: (readonly Write[])[]) {
    this.#platform = platform;
    this.#durable = durable;
    for (const write of durable.flat()) if ('query' in write) this.#execute(write);
  }

  readonly sql: Sql = {
    exec: <T>(query: string, ...values: readonly (SQLInputValue | ArrayBuffer)[]) => {
      const bindings = values.map((value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value));
      if (/^\s*SELECT/.test(query)) {
        if (this.dead) throw new ObjectDied();
        return this.#execute<T>({ query, bindings });
      }
      return this.#write('write', query, { query, bindings }, () => this.#execute<T>({ query, bindings }));
    },
  };

  transactionSync<T>(work: () => T): T {
    const transaction: Write[] = [];
    this.#transaction = transaction;
    try {
      const result = work();
      this.#pending.push(transaction);
      return result;
    } finally {
      this.#transaction = undefined;
    }
  }

  async setAlarm(at: number): Promise<void> {
    this.#write('alarm', String(at), { alarm: at }, () => undefined);
  }

  async sync(): Promise<void> {
    const fate = this.#platform.fate('sync', '');
    if (fate === 'waits') await this.#platform.pause();
    if (this.dead || fate === 'before') throw this.die();
    await Promise.resolve();
    if (this.#superseded) throw this.die();
    this.#flush();
    if (fate === 'after') throw this.die();
  }

  /** Durable at once. */
  take(alarm: Write): void {
    this.rest();
    this.#durable.push([alarm]);
  }

  rest(): void {
    if (!this.dead && !this.#superseded) this.#flush();
  }

  supersede(): void {
    this.#superseded = true;
  }

  die(): ObjectDied {
    this.dead = true;
    return new ObjectDied();
  }

  #write<T>(step: Step, detail: string, write: Write, act: () => T): T {
    const fate = this.#platform.fate(step, detail);
    if (this.dead || fate === 'before') throw this.die();
    const result = act();
    if (this.#transaction !== undefined) this.#transaction.push(write);
    else this.#pending.push([write]);
    if (fate === 'after') {
      // As good a moment as any for the platform to have written what it was given; a transaction that is open is lost.
      if (!this.#superseded) this.#flush();
      throw this.die();
    }
    return result;
  }

  #flush(): void {
    this.#durable.push(...this.#pending);
    this.#pending = [];
  }

  #execute<T>({ query, bindings }: Extract<Write, { query: string }>): { toArray(): T[] } {
    if (bindings.length === 0) {
      if (/^\s*SELECT/.test(query))
        return {
          toArray: () =>
            this.#live
              .prepare(query)
              .all()
              .map(plain<T>),
        };
      this.#live.exec(query);
      return { toArray: () => [] };
    }
    const rows = this.#live.prepare(query).all(...bindings);
    return { toArray: () => rows.map(plain<T>) };
  }
}

/** BLOBs as workerd gives them. */
function plain<T>(row: Record<string, unknown>): T {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? value.slice().buffer : value,
    ]),
  ) as T; // the query names the columns of T
}
