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
  /** Whether that is only in case the work under way does not come to an end. */
  #isFallback = false;

  constructor(storage: AlarmStorage, now: () => number, onError: (error: unknown) => void) {
    this.#storage = storage;
    this.#now = now;
    this.#onError = onError;
  }

  /** Work ends with the next task: then the fallback has done its service. */
  readonly schedule: Schedule = (run, milliseconds) => {
    const task = { due: this.#now() + milliseconds, run };
    this.#tasks.add(task);
    if (this.#isFallback) this.#alarm = Number.POSITIVE_INFINITY;
    this.wakeBy(Math.min(...Array.from(this.#tasks, ({ due }) => due)));
    return () => this.#tasks.delete(task);
  };

  /** Sees to it that an alarm rings at `at` or before; without an await between, it is durable together with the writes around it. */
  wakeBy(at: number): void {
    if (this.#alarm <= at) return;
    this.#alarm = at;
    this.#isFallback = false;
    this.#storage.setAlarm(at).catch(this.#onError);
  }

  /** As `wakeBy`, until the next task is scheduled. */
  fallBack(at: number): void {
    if (this.#alarm <= at) return;
    this.wakeBy(at);
    this.#isFallback = true;
  }

  /** The alarm rang: runs what is due. Sets the next alarm first, so that a crash in a task is followed by another try. */
  ring(fallbackMs: number): void {
    const now = this.#now();
    this.#alarm = Number.POSITIVE_INFINITY;
    const tasks = [...this.#tasks].sort((a, b) => a.due - b.due);
    const next = tasks.find(({ due }) => due > now);
    if (next !== undefined) this.wakeBy(next.due);
    if (tasks[0] !== next || next === undefined) this.fallBack(now + fallbackMs);
    for (const task of tasks) {
      if (task.due > now || !this.#tasks.delete(task)) continue;
      task.run();
    }
  }
}
