// Availability: which lanes to Redis answer in time; a lane that failed is left alone until a probe in the background succeeds.

export type BackendState = 'available' | 'unavailable';

export interface AvailabilityOptions {
  /** Rejects while the lane is still down. */
  readonly probe: (lane: string) => Promise<void>;
  /** Told once for each change, not for each request; `cause` is the first failure. */
  readonly onState?: ((state: BackendState, cause?: unknown) => void) | undefined;
  /** Milliseconds until the first probe, doubled up to `longest` while losses go on. */
  readonly shortest?: number;
  readonly longest?: number;
  /** Milliseconds without a loss after which the delay starts over. */
  readonly calm?: number;
}

type Timer = ReturnType<typeof setTimeout>;

/** Beyond that many lost lanes further ones are tried for each request. */
const MAX_LANES = 4096;

export class Availability {
  readonly #options: AvailabilityOptions;
  readonly #lost = new Map<string, Timer>();
  #losses = 0;
  #calming: Timer | undefined;
  #closed = false;

  constructor(options: AvailabilityOptions) {
    this.#options = options;
  }

  get state(): BackendState {
    return this.#lost.size === 0 ? 'available' : 'unavailable';
  }

  isUp(lane: string): boolean {
    return this.#lost.size === 0 || !this.#lost.has(lane);
  }

  lose(lane: string, cause: unknown): void {
    if (this.#closed || this.#lost.has(lane) || this.#lost.size >= MAX_LANES) return;
    const first = this.#lost.size === 0;
    this.#losses += 1;
    clearTimeout(this.#calming);
    this.#schedule(lane, this.#delay(this.#losses));
    if (first) this.#options.onState?.('unavailable', cause);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#calming);
    for (const timer of this.#lost.values()) clearTimeout(timer);
    this.#lost.clear();
  }

  #schedule(lane: string, delay: number, failures = 1): void {
    const timer = setTimeout(() => void this.#probe(lane, failures), delay);
    timer.unref();
    this.#lost.set(lane, timer);
  }

  async #probe(lane: string, failures: number): Promise<void> {
    try {
      await this.#options.probe(lane);
    } catch {
      if (!this.#closed) this.#schedule(lane, this.#delay(failures + 1), failures + 1);
      return;
    }
    if (!this.#lost.delete(lane) || this.#lost.size > 0) return;
    this.#calming = setTimeout(() => {
      this.#losses = 0;
    }, this.#options.calm ?? 10_000);
    this.#calming.unref();
    this.#options.onState?.('available');
  }

  #delay(failures: number): number {
    const { shortest = 100, longest = 2000 } = this.#options;
    return Math.min(longest, shortest * 2 ** Math.min(failures - 1, 16));
  }
}
