// Alarm schedule: a Schedule over the one alarm of a Durable Object, which wakes the object even after a crash.

import type { Schedule } from '../log/schedule.ts';

/** The part of the object's storage that keeps its alarm. */
export interface AlarmStorage {
  setAlarm(at: number): Promise<void>;
}

interface Task {
  readonly due: number;
  readonly run: () => void;
}

/**
 * Tasks live in memory and are gone with the object; the alarm is not. Whoever owns this opens the log when an alarm
 * finds none open, and opening publishes what the lost tasks were for.
 */
export class AlarmSchedule {
  readonly #storage: AlarmStorage;
  readonly #now: () => number;
  readonly #onError: (error: unknown) => void;
  readonly #tasks = new Set<Task>();
  /** When the stored alarm rings, as far as this object knows; Infinity for none. */
  #alarm = Number.POSITIVE_INFINITY;

  constructor(storage: AlarmStorage, now: () => number, onError: (error: unknown) => void) {
    this.#storage = storage;
    this.#now = now;
    this.#onError = onError;
  }

  readonly schedule: Schedule = (run, milliseconds) => {
    const task = { due: this.#now() + milliseconds, run };
    this.#tasks.add(task);
    this.wakeBy(task.due);
    return () => this.#tasks.delete(task);
  };

  /** Sees to it that an alarm rings at `at` or before; without an await between, it is durable together with the writes around it. */
  wakeBy(at: number): void {
    if (this.#alarm <= at) return;
    this.#alarm = at;
    this.#storage.setAlarm(at).catch(this.#onError);
  }

  /** The alarm rang: runs what is due. Sets the next alarm first, so that a crash in a task is followed by another try. */
  ring(fallbackMs: number): void {
    const now = this.#now();
    this.#alarm = Number.POSITIVE_INFINITY;
    const later = [...this.#tasks].filter(({ due }) => due > now).map(({ due }) => due);
    this.wakeBy(Math.min(now + fallbackMs, ...later));
    for (const task of [...this.#tasks].sort((a, b) => a.due - b.due)) {
      if (task.due > now || !this.#tasks.delete(task)) continue;
      task.run();
    }
  }
}
