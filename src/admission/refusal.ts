// Refusal: what a client is told when it may not have a certificate now.

import type { Instant } from '../clock.ts';
import type { Random } from '../encoding/random.ts';
import { Problem } from '../problem.ts';
import type { Rate } from './gcra.ts';
import type { LimitName } from './limit.ts';
import type { Limited, LimitState } from './limiter.ts';
import type { ReplayMode } from './replay.ts';

/** Waiting clients come back spread over this part of their wait, or over a second: a short wait has no such part in whole seconds. */
const JITTER = 0.03;
const LEAST_JITTER_MS = 1000;

/** Problem `rate_limited`, with the states that the RateLimit fields are written from. */
export class LimitExceeded extends Problem {
  readonly limit: LimitName;
  readonly states: readonly LimitState[];

  constructor(verdict: Limited, random: Random, now: Instant) {
    const { limit, rate, retryAfterMs, states } = verdict;
    const jitter = (Math.max(JITTER * retryAfterMs, LEAST_JITTER_MS) * (random(1)[0] ?? 0)) / 255;
    const retryAfter = Math.max(1, Math.ceil((retryAfterMs + jitter) / 1000));
    const at = new Date((Math.ceil(now / 1000) + retryAfter) * 1000).toISOString().replace('.000Z', 'Z');
    const wait = `${retryAfter} second${retryAfter === 1 ? '' : 's'}`;
    super('rate_limited', {
      message: `The limit ${limit} is used up: ${textOf(rate)}; come back in ${wait}, at ${at}`,
      hint: hintOf(limit),
      retryAfter,
      metadata: {
        limit,
        burst: String(rate.burst),
        refill: String(rate.count),
        refillPeriod: durationOf(rate.periodMs),
      },
    });
    this.limit = limit;
    this.states = states;
  }
}

export function replayed(mode: ReplayMode): Problem {
  return new Problem('token_replayed', {
    hint:
      mode === 'once'
        ? 'A token of this issuer is good for one certificate: ask the issuer for a new one.'
        : 'A token of this issuer may be used again only with the public key that it was first used with.',
    metadata: { replay: mode },
  });
}

/** Burst and refill apart: read as "N in a window", they would promise what GCRA does not. */
function textOf({ burst, count, periodMs }: Rate): string {
  return `it allows a burst of ${burst}, and ${count} flow back every ${durationOf(periodMs)}, one by one`;
}

function hintOf(limit: LimitName): string {
  if (limit === 'failures-per-address') return 'Requests whose tokens verify are accepted.';
  if (limit === 'failed-proofs-per-identity') return 'A request is checked again after the time given.';
  return 'A request is accepted after the time given; one certificate may sign many artifacts while it lasts.';
}

/** As durations are written in the configuration: the largest unit that divides it. */
function durationOf(milliseconds: number): string {
  for (const [unit, size] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (milliseconds % size === 0) return `${milliseconds / size}${unit}`;
  }
  return `${milliseconds}ms`;
}
