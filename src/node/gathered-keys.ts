// Gathered keys: tokens that come in one turn of the event loop are verified together; waking a thread for each of them would cost more than the check.

import type { CachedKeySets, KeySets } from '../token/keyset.ts';

/**
 * The same keys, told to all who ask during one turn at its end. Their tokens then go to the thread pool one right after another
 * and keep its threads awake, where spread over the turn each finds them asleep.
 */
export function gatheredKeys(keysets: CachedKeySets): CachedKeySets {
  let turn: Promise<void> | undefined;
  const endOfTurn = (): Promise<void> => {
    turn ??= new Promise((resolve) => {
      setImmediate(() => {
        turn = undefined;
        resolve();
      });
    });
    return turn;
  };
  const gathered = (from: KeySets): KeySets => ({
    async candidates(request, failed) {
      await endOfTurn();
      return from.candidates(request, failed);
    },
  });
  return {
    ...gathered(keysets),
    cachedOnly: (refuse) => gathered(keysets.cachedOnly(refuse)),
  };
}
