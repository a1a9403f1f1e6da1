// Term: the time in which one process writes a log's bucket; whatever shows that another one does ends it for good.

/** Another process writes the log now: this one may write and sign nothing more. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

export class Term {
  /** 16 random bytes that tell this term from every other. */
  readonly id: Uint8Array<ArrayBuffer>;
  readonly #ended = Promise.withResolvers<void>();
  #reason: string | undefined;

  constructor(id: Uint8Array<ArrayBuffer>) {
    this.id = id;
  }

  /** Resolves when the term is over. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get isOver(): boolean {
    return this.#reason !== undefined;
  }

  /** Undefined while it lasts. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** The first reason counts. */
  end(reason: string): Fenced {
    this.#reason ??= reason;
    this.#ended.resolve();
    return new Fenced(this.#reason);
  }

  /** Throws a Fenced when the term is over. */
  assert(): void {
    if (this.#reason !== undefined) throw new Fenced(this.#reason);
  }
}
