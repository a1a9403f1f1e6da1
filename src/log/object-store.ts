// Object store: where the public face of the log lies as files: tiles, issuers, checkpoint.

import type { Bytes } from '../encoding/bytes.ts';

export interface ObjectStore {
  /** Undefined when there is no such object. */
  get(key: string): Promise<Bytes | undefined>;
  /**
   * Writes an object that never changes. Resolves once a crash can no longer lose it, also when it stood there already
   * with the same bytes; throws a LogDamage when it stood there with others.
   */
  create(key: string, bytes: Uint8Array): Promise<void>;
  /** Replaces an object as one step: readers see the old or the new. Resolves once a crash can no longer lose it. */
  replace(key: string, bytes: Uint8Array): Promise<void>;
}
