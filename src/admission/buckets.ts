// Buckets: TATs in bounded memory; a bucket that has refilled is the same as none and goes, a few looked at on each write.

/** How many entries the search for a victim looks at; enough that a heavily used bucket practically never is the victim. */
const CANDIDATES = 16;

export class Buckets {
  readonly #tats = new Map<string, number>();
  readonly #capacity: number;
  // A Map's iterator is live: it survives deletions and reaches entries added later.
  #cursor = this.#tats.entries();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#tats.size;
  }

  get(key: string): number | undefined {
    return this.#tats.get(key);
  }

  /** `tat` and `now` in microseconds. At capacity the least used of a few others makes room. */
  set(key: string, tat: number, now: number): void {
    this.#tats.set(key, tat);
    if (this.#tats.size > this.#capacity) this.#evict(key, now);
    else this.#sweepOne(now);
  }

  /** Gives `microseconds` back. */
  credit(key: string, microseconds: number): void {
    const tat = this.#tats.get(key);
    if (tat !== undefined) this.#tats.set(key, tat - microseconds);
  }

  #next(): [string, number] | undefined {
    const next = this.#cursor.next();
    if (!next.done) return next.value;
    this.#cursor = this.#tats.entries();
    return undefined;
  }

  #sweepOne(now: number): void {
    const entry = this.#next();
    if (entry !== undefined && entry[1] <= now) this.#tats.delete(entry[0]);
  }

  #evict(spared: string, now: number): void {
    let victim: string | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < CANDIDATES; i++) {
      const entry = this.#next();
      if (entry === undefined || entry[0] === spared) continue;
      if (entry[1] <= now) {
        this.#tats.delete(entry[0]);
        if (this.#tats.size <= this.#capacity) return;
      } else if (entry[1] < least) {
        [victim, least] = entry;
      }
    }
    this.#tats.delete(victim ?? spared);
  }
}
