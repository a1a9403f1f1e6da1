// Stored fetcher: remembers documents of issuers across the evictions of a Durable Object, so that waking up costs no
// fetch, and an issuer that is down then is bridged.

import type { Clock } from '../clock.ts';
import { FetchError, type Fetched, type Fetcher, type FetchOptions } from '../token/fetcher.ts';

export interface StoredDocument {
  readonly body: Uint8Array;
  /** When it was fetched, milliseconds since the epoch. */
  readonly at: number;
}

export interface DocumentStore {
  get(url: string): StoredDocument | undefined;
  put(url: string, document: StoredDocument): void;
}

export interface StoredFetcherOptions {
  readonly fetcher: Fetcher;
  readonly store: DocumentStore;
  readonly clock: Clock;
  /** Milliseconds up to which a document serves in place of the first fetch after waking up. */
  readonly freshMs: number;
  /** Milliseconds up to which it serves where that fetch fails. */
  readonly maxStaleMs: number;
}

export class StoredFetcher implements Fetcher {
  readonly #options: StoredFetcherOptions;
  /** Asked for since waking up: from then on the caller's memory knows more than the store. */
  readonly #asked = new Set<string>();

  constructor(options: StoredFetcherOptions) {
    this.#options = options;
  }

  async get(url: string, options: FetchOptions): Promise<Fetched> {
    const { fetcher, store, clock, freshMs, maxStaleMs } = this.#options;
    const stored = this.#asked.has(url) ? undefined : store.get(url);
    this.#asked.add(url);
    const age = stored === undefined ? Number.POSITIVE_INFINITY : clock.now() - stored.at;
    if (stored !== undefined && age >= 0 && age < freshMs) return { status: 200, body: stored.body };
    try {
      const fetched = await fetcher.get(url, options);
      if (fetched.status === 200) store.put(url, { body: fetched.body, at: clock.now() });
      return fetched;
    } catch (error) {
      if (error instanceof FetchError && stored !== undefined && age < maxStaleMs)
        return { status: 200, body: stored.body };
      throw error;
    }
  }
}
