// SQL: the storage of a Durable Object as far as it is used here; the runtime's own fits.

type Value = ArrayBuffer | string | number | null;

export interface Sql {
  exec<T extends Record<string, Value>>(
    query: string,
    ...bindings: readonly (Value | Uint8Array)[]
  ): { toArray(): T[] };
}

/** Writes between two awaits are one transaction, and those of an earlier turn are never durable after a later one's. */
export interface SqlDatabase {
  readonly sql: Sql;
  transactionSync<T>(work: () => T): T;
  /** Resolves once everything written so far is durable. */
  sync(): Promise<void>;
}
