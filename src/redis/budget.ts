// Budget: how long answers may take, counted from the end of the event loop's turn that asked, when the questions leave.

/** Those who asked in one turn, and wait. */
interface Turn {
  readonly waiting: Set<(cause: Error) => void>;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class Budget {
  readonly #milliseconds: number;
  #turn: Turn | undefined;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  /** Rejects when `work`, begun in this turn, takes longer. */
  within<T>(work: Promise<T>): Promise<T> {
    this.#turn ??= this.#open();
    const turn = this.#turn;
    return new Promise((resolve, reject) => {
      turn.waiting.add(reject);
      work.then(
        (value) => {
          leave(turn, reject);
          resolve(value);
        },
        (cause) => {
          leave(turn, reject);
          reject(cause);
        },
      );
    });
  }

  #open(): Turn {
    const turn: Turn = { waiting: new Set(), timer: undefined };
    setImmediate(() => {
      this.#turn = undefined;
      if (turn.waiting.size > 0) turn.timer = setTimeout(() => this.#expire(turn), this.#milliseconds);
    });
    return turn;
  }

  /** Timers run before sockets are read: after a stall of this process an answer that has long arrived gets a turn to be seen. */
  #expire(turn: Turn): void {
    setImmediate(() => {
      for (const reject of turn.waiting) reject(new Error(`no answer within ${this.#milliseconds} ms`));
    });
  }
}

function leave({ waiting, timer }: Turn, one: (cause: Error) => void): void {
  waiting.delete(one);
  if (waiting.size === 0) clearTimeout(timer);
}
