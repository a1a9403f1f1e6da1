// Log service: what the stateless Workers ask of the log's Durable Object.

import type { Bytes } from '../encoding/bytes.ts';
import type { PrecertEntry, Sct } from '../log/log.ts';
import type { Publication } from '../log/publisher.ts';
import type { Outcome } from '../problem-wire.ts';

/** The one object of a deployment's log. */
export const LOG_NAME = 'log';

/** What the newest checkpoint covers beyond the full tiles in the bucket. */
export interface LogSnapshot {
  readonly origin: string;
  readonly publication: Publication;
  /** Hashes of each level's partial tile, joined; the index is the level. */
  readonly hashes: readonly Bytes[];
  /** Leaf hashes up to here can be found. */
  readonly indexed: number;
}

export interface LogService {
  /** Resolves once the entry is durable, with its SCT. */
  append(entry: PrecertEntry): Promise<Outcome<Sct>>;
  snapshot(): Promise<Outcome<LogSnapshot>>;
  /** TileLeafs `from`..`to` (exclusive), joined; undefined where full tiles hold them by now, or nothing yet. */
  edge(from: number, to: number): Promise<Outcome<Bytes | undefined>>;
  /** Indexes whose leaf hash may be this one. */
  candidates(hash: Bytes): Promise<Outcome<readonly number[]>>;
}
