// Throttled: an action that is wanted often and done now and then.

/** Acts when it is called, unless it has acted less than `milliseconds` before. */
export function throttled(milliseconds: number, act: () => void): () => void {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - last < milliseconds) return;
    last = now;
    act();
  };
}
