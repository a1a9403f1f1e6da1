// Report: one line of JSON for Workers Logs; never a token, key or claim value.

type Level = 'info' | 'warn' | 'error';

export function report(
  level: Level,
  message: string,
  facts: Readonly<Record<string, string | number>> = {},
): void {
  console[level](JSON.stringify({ level, message, ...facts }));
}

/** A failure's kind and sentence, and those of its causes. */
export function reportError(message: string, error: unknown): void {
  const chain: string[] = [];
  for (let cause = error; cause instanceof Error && chain.length < 5; cause = cause.cause)
    chain.push(`${cause.name}: ${cause.message}`);
  report('error', message, {
    error: chain.join(' <- ') || String(error),
    ...(error instanceof Error && error.stack !== undefined && { stack: error.stack }),
  });
}
