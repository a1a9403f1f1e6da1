// Clock: the one source of "now"; an issuance reads it once and passes the Instant along.

declare const instant: unique symbol;

/** Milliseconds since 1970-01-01T00:00:00Z, always a whole number. */
export type Instant = number & { readonly [instant]: true };

export interface Clock {
  now(): Instant;
  /** Milliseconds from any origin that no setting of the clock changes; of a clock that nobody sets, `now` does as well. */
  steady?(): number;
}

export const systemClock: Clock = {
  now: () => instantOf(Date.now()),
  steady: () => performance.now(),
};

export function instantOf(milliseconds: number): Instant {
  return Math.trunc(milliseconds) as Instant;
}

/** Whole seconds since the epoch, as NumericDate (RFC 7519 section 2) and X.509 times use them. */
export function secondsOf(at: Instant): number {
  return Math.floor(at / 1000);
}
