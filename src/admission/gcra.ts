// GCRA: the generic cell rate algorithm (ITU-T I.371 annex A); a bucket is one number, its theoretical arrival time (TAT).

/**
 * A bucket of `burst` tokens into which `count` tokens flow back over each `periodMs`, one by one.
 * All times inside the algorithm are whole microseconds, which a double holds exactly up to 2^53 (the year 2255).
 */
export interface Rate {
  readonly burst: number;
  readonly count: number;
  readonly periodMs: number;
}

export interface Decision {
  readonly allowed: boolean;
  /** The bucket afterwards; unspent when denied. Microseconds since the epoch. */
  readonly tat: number;
  /** Whole tokens left. */
  readonly remaining: number;
  /** Until the same request would be allowed; 0 when it was, Infinity when `cost` exceeds the burst. */
  readonly retryAfterMs: number;
  /** Until the bucket is full again. */
  readonly resetAfterMs: number;
}

/** The longest time that refilling a whole burst may take, so that TATs stay below 2^53. */
const MAX_TOLERANCE = 2 ** 52;
const MAX_TOKENS = 1e9;

/** Microseconds for one token to flow back; rounded up, so that no period gives more than `count`. */
export function emissionOf(rate: Rate): number {
  return Math.ceil((rate.periodMs * 1000) / rate.count);
}

/** Microseconds of debt that empty the bucket. */
export function toleranceOf(rate: Rate): number {
  return rate.burst * emissionOf(rate);
}

/**
 * Microseconds that the bucket lacks of being full. At most the tolerance: a TAT further ahead comes from a larger burst
 * before a reload, or from a clock that was set back, and must not lock anyone out for longer than an empty bucket does.
 */
export function debtOf(tat: number | undefined, now: number, rate: Rate): number {
  return tat === undefined || tat <= now ? 0 : Math.min(tat - now, toleranceOf(rate));
}

/** `tat` and `now` in microseconds since the epoch; an unknown bucket is full. */
export function decide(tat: number | undefined, now: number, rate: Rate, cost = 1): Decision {
  const emission = emissionOf(rate);
  const tolerance = rate.burst * emission;
  const debt = debtOf(tat, now, rate);
  const wanted = debt + cost * emission;
  const allowed = wanted <= tolerance;
  const owed = allowed ? wanted : debt;
  return {
    allowed,
    tat: now + owed,
    remaining: Math.floor((tolerance - owed) / emission),
    retryAfterMs: allowed
      ? 0
      : cost > rate.burst
        ? Number.POSITIVE_INFINITY
        : millisecondsOf(wanted - tolerance),
    resetAfterMs: millisecondsOf(owed),
  };
}

/** Rounded up: coming back after that many is never too early. */
export function millisecondsOf(microseconds: number): number {
  return Math.ceil(microseconds / 1000);
}

/** Why a rate cannot be used, as one sentence; undefined when it can. */
export function faultOf(rate: Rate): string | undefined {
  if (!within(rate.burst, MAX_TOKENS)) return `burst must be a whole number from 1 to ${MAX_TOKENS}`;
  if (!within(rate.count, MAX_TOKENS)) return `count must be a whole number from 1 to ${MAX_TOKENS}`;
  if (!within(rate.periodMs, MAX_TOLERANCE)) return 'period must be at least one millisecond';
  if (toleranceOf(rate) > MAX_TOLERANCE) return 'the burst would take more than 140 years to flow back';
  return undefined;
}

function within(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= most;
}
