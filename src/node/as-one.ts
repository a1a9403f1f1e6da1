// As one: one answer for all who ask while it is being found.

/** Whoever calls while `ask` is under way gets what comes of that; the next one asks anew. */
export function asOne<T>(ask: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= ask().finally(() => {
      running = undefined;
    });
    return running;
  };
}
