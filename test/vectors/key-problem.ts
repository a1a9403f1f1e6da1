// What a refusal says, in a form that tests compare.

import { Problem } from '../../src/problem.ts';

/** Code and message of the Problem that `act` throws; undefined when it throws none. Any other error passes through, as a bug. */
export async function problemOf(
  act: () => unknown,
): Promise<readonly [code: string, message: string] | undefined> {
  try {
    await act();
    return undefined;
  } catch (failure) {
    if (failure instanceof Problem) return [failure.code, failure.message];
    throw failure;
  }
}

/** The hint beside it. */
export function hintOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (failure) {
    if (failure instanceof Problem) return failure.hint;
    throw failure;
  }
  return undefined;
}
