// Contradiction: settings of which each is fine, and which do not go together; flags count as the file does.

import type { Settings } from './settings.ts';

export interface Contradiction {
  /** The key to change. */
  readonly key: string;
  /** A whole sentence. */
  readonly message: string;
}

/** `ephemeral`: nothing is kept on disk. */
export function contradictionsIn(settings: Settings, ephemeral: boolean): readonly Contradiction[] {
  return [...ofRole(settings), ...ofWorkers(settings, ephemeral)];
}

/** An instance that was to start all the same. */
export class ContradictionError extends Error {
  override readonly name = 'ContradictionError';
}

/** Throws a ContradictionError with a sentence for the operator. */
export function requireNone([first]: readonly Contradiction[]): void {
  if (first !== undefined) throw new ContradictionError(first.message);
}

/** What a role does not go with, the number of its processes left aside. */
export function ofRole({ role, log, logRoots }: Settings): readonly Contradiction[] {
  const found: Contradiction[] = [];
  const add = (key: string, message: string): void => void found.push({ key, message });
  if (role === 'ca' && log.kind === 'builtin')
    add('log', 'role ca needs to know the log: set log to the URL of one, or to none for no SCTs');
  if (role !== 'log') return found;
  if (log.kind !== 'builtin') add('log', 'role log is the log itself: log has to stay builtin');
  if (logRoots === undefined)
    add(
      'log-roots',
      'role log needs the CA certificates whose precertificates it takes: log-roots, or --log-roots FILE',
    );
  return found;
}

function ofWorkers({ role, workers }: Settings, ephemeral: boolean): readonly Contradiction[] {
  const key = 'workers';
  if (workers === 1) return [];
  if (role === 'log')
    return [
      {
        key,
        message: 'workers issue, and role log does not: its log is one process by nature; set workers to 1',
      },
    ];
  if (ephemeral)
    return [
      {
        key,
        message: 'workers need a data folder for their keys: leave out --ephemeral, or set workers to 1',
      },
    ];
  return [];
}
