// Capacity: how many requests may be under way at once; one more is refused at once instead of waiting.

import { Problem } from './problem.ts';

export class Capacity {
  readonly #limit: number;
  readonly #onRefused: ((problem: Problem) => void) | undefined;
  #taken = 0;
  #refused = 0;

  /** `onRefused` is told of each refusal. */
  constructor(limit: number, onRefused?: (problem: Problem) => void) {
    this.#limit = limit;
    this.#onRefused = onRefused;
  }

  /** Requests under way. */
  get taken(): number {
    return this.#taken;
  }

  /** Requests that found no place. */
  get refused(): number {
    return this.#refused;
  }

  /** Whoever has come in leaves again, whatever happens between. Throws Problem `overloaded`. */
  enter(): void {
    if (this.#taken >= this.#limit) {
      this.#refused += 1;
      const problem = new Problem('overloaded');
      this.#onRefused?.(problem);
      throw problem;
    }
    this.#taken += 1;
  }

  leave(): void {
    this.#taken -= 1;
  }
}
