// Pulse: whether a process still answers, counted in beats of whoever asks: a standstill of that one, or of the machine, is not held against it.

export class Pulse {
  readonly #ask: () => Promise<unknown>;
  #asked = false;
  #missed = 0;

  /** `ask` resolves when the process answers, and never when it has ended. */
  constructor(ask: () => Promise<unknown>) {
    this.#ask = ask;
  }

  /** Asks, unless an answer is still awaited. Returns how many beats in a row have gone by without one. */
  beat(): number {
    if (this.#asked) {
      this.#missed += 1;
      return this.#missed;
    }
    this.#asked = true;
    this.#ask().then(
      () => {
        this.#asked = false;
        this.#missed = 0;
      },
      () => undefined,
    );
    return 0;
  }
}
