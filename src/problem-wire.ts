// Problem wire: a Problem on its way between objects or processes, whose calls carry plain data only.

import { Problem, type ProblemCode } from './problem.ts';

export interface WireProblem {
  readonly code: ProblemCode;
  readonly message: string;
  readonly field?: string | undefined;
  readonly hint?: string | undefined;
  readonly retryAfter?: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The value that `work` resolves with, or the Problem that it rejects with; anything else it rejects with passes. */
export type Outcome<T> = { readonly value: T } | { readonly problem: WireProblem };

export async function outcomeOf<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { problem: wireOf(error) };
  }
}

export function wireOf({ code, message, field, hint, retryAfter, metadata }: Problem): WireProblem {
  return { code, message, field, hint, retryAfter, metadata };
}

/** Throws the Problem where there is one. */
export function unwrap<T>(outcome: Outcome<T>): T {
  if ('value' in outcome) return outcome.value;
  const { code, message, field, hint, retryAfter, metadata } = outcome.problem;
  throw new Problem(code, {
    message,
    metadata,
    ...(field !== undefined && { field }),
    ...(hint !== undefined && { hint }),
    ...(retryAfter !== undefined && { retryAfter }),
  });
}
