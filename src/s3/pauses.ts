// Pauses: waiting that can be ended early, for all who wait at once.

import type { Schedule } from '../log/schedule.ts';

export class Pauses {
  readonly #schedule: Schedule;
  readonly #running = new Set<() => void>();

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** Resolves after so many milliseconds, or when all are ended. */
  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.#running.delete(end);
        resolve();
      };
      const cancel = this.#schedule(end, milliseconds);
      this.#running.add(end);
    });
  }

  end(): void {
    for (const end of this.#running) end();
  }
}
