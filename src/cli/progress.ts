// Progress: how far a long command has come, on standard error: a line that changes on a terminal, now and then a new one elsewhere.

/** Milliseconds; what is done within the first says nothing. */
const FIRST = 1000;
const ON_TERMINAL = 200;
const ELSEWHERE = 10_000;

export class ProgressLine {
  readonly #what: string;
  readonly #started = performance.now();
  #last = performance.now() - ELSEWHERE + FIRST;
  #shown = false;

  /** `what` is counted, such as `entries`. */
  constructor(what: string) {
    this.#what = what;
  }

  readonly tell = (done: number, total?: number): void => {
    const now = performance.now();
    const terminal = process.stderr.isTTY;
    if (now - this.#started < FIRST || now - this.#last < (terminal ? ON_TERMINAL : ELSEWHERE)) return;
    this.#last = now;
    const of =
      total === undefined || total === 0 ? '' : ` of ${total} (${Math.floor((100 * done) / total)} %)`;
    const line = `${done}${of} ${this.#what}`;
    this.#shown ||= terminal;
    process.stderr.write(terminal ? `\r\u001b[K${line}` : `${line}\n`);
  };

  /** Takes the line away. */
  end(): void {
    if (this.#shown) process.stderr.write('\r\u001b[K');
    this.#shown = false;
  }
}
