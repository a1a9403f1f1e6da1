// Duration: a time span as operators write it, `90s` or `1h30m`.

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Whole numbers, largest unit first, each unit once; a bare 0 needs none. */
export const DURATION = /^(?:0|(?=\d)(?:\d{1,9}d)?(?:\d{1,9}h)?(?:\d{1,9}m)?(?:\d{1,9}s)?(?:\d{1,9}ms)?)$/;

/** Milliseconds, or undefined for what `DURATION` does not match. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  return Array.from(text.matchAll(/(\d+)([a-z]+)/g)).reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? Number.NaN),
    0,
  );
}

/** Whole milliseconds as operators write them; the inverse of `parseDuration`. */
export function formatDuration(milliseconds: number): string {
  let rest = milliseconds;
  const parts = Object.entries(UNITS)
    .reverse()
    .map(([unit, length]) => {
      const count = Math.floor(rest / length);
      rest -= count * length;
      return count === 0 ? '' : `${count}${unit}`;
    });
  return parts.join('') || '0s';
}
