// Buckets: TATs in bounded memory; a bucket that has refilled is the same as none and goes, one looked at on each write.

/** How many entries the search for a victim looks at; enough that a heavily used bucket practically never is the victim. */
const CANDIDATES = 16;
/** The golden ratio's fraction: steps of that part of the whole fall everywhere, however entries are clustered. */
const SPREAD = 0.618_033_988_749_895;

export class Buckets {
  readonly #places = new Map<string, number>();
  readonly #keys: string[] = [];
  readonly #tats: number[] = [];
  readonly #capacity: number;
  #cursor = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#keys.length;
  }

  get(key: string): number | undefined {
    const place = this.#places.get(key);
    return place === undefined ? undefined : this.#tats[place];
  }

  /** `tat` and `now` in microseconds. At capacity the least used of a few others makes room. */
  set(key: string, tat: number, now: number): void {
    const place = this.#places.get(key);
    if (place !== undefined) {
      this.#tats[place] = tat;
    } else {
      if (this.#keys.length >= this.#capacity) this.#evict();
      this.#places.set(key, this.#keys.length);
      this.#keys.push(key);
      this.#tats.push(tat);
    }
    this.#sweepOne(now);
  }

  /** Gives `microseconds` back. */
  credit(key: string, microseconds: number): void {
    const place = this.#places.get(key);
    if (place !== undefined) this.#tats[place] = (this.#tats[place] ?? 0) - microseconds;
  }

  #sweepOne(now: number): void {
    if (this.#cursor >= this.#keys.length) this.#cursor = 0;
    if ((this.#tats[this.#cursor] ?? now) <= now) this.#remove(this.#cursor);
    else this.#cursor += 1;
  }

  #evict(): void {
    let victim = 0;
    let least = Number.POSITIVE_INFINITY;
    let at = this.#cursor / this.#keys.length;
    for (let i = 0; i < CANDIDATES; i++) {
      at = (at + SPREAD) % 1;
      const place = Math.floor(at * this.#keys.length);
      const tat = this.#tats[place] ?? least;
      if (tat < least) [victim, least] = [place, tat];
    }
    this.#remove(victim);
  }

  /** The last entry takes the place. */
  #remove(place: number): void {
    const last = this.#keys.length - 1;
    const [key, lastKey, lastTat] = [this.#keys[place], this.#keys[last], this.#tats[last]];
    if (key === undefined || lastKey === undefined || lastTat === undefined) return;
    this.#places.set(lastKey, place);
    this.#keys[place] = lastKey;
    this.#tats[place] = lastTat;
    this.#places.delete(key);
    this.#keys.pop();
    this.#tats.pop();
  }
}
