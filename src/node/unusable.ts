// Unusable settings: what an instance would refuse at its start, told from the settings alone, before it is started.

import { contradictionsIn } from '../config/contradiction.ts';
import type { Settings } from '../config/settings.ts';
import { readAlsoTrusted } from '../http/also-trusted.ts';
import { requireUsable } from './listener/tls-identity.ts';
import { requireLog } from './log/external-logs.ts';
import { intakeOf } from './log/intake-of.ts';

export interface Unusable {
  /** The key in the configuration file. */
  readonly key: string;
  readonly message: string;
}

/** By the very functions that refuse it at the start. Not looked at: files that only the start reads, and what answers over a network. */
export function unusableIn(settings: Settings, ephemeral: boolean): readonly Unusable[] {
  const contradictions = contradictionsIn(settings, ephemeral);
  const { tls, grpcTls, log, role, logRoots, alsoTrusted } = settings;
  const trials: readonly (readonly [key: string, trial: () => unknown])[] = [
    ['tls', () => tls && requireUsable(tls, 'REST')],
    ['grpc-tls-certificate', () => grpcTls && requireUsable(grpcTls, 'gRPC')],
    ...(log.kind === 'remote' ? log.logs : []).map((one) => ['log', () => requireLog(one)] as const),
    ['also-trusted', () => readAlsoTrusted(alsoTrusted)],
    ['log-roots', () => role === 'log' && logRoots !== undefined && intakeOf(logRoots)],
  ];
  const refused = trials.flatMap(([key, trial]): Unusable[] => {
    try {
      trial();
      return [];
    } catch (failure) {
      if (!(failure instanceof Error)) throw failure;
      return [{ key, message: failure.message }];
    }
  });
  return [...contradictions, ...refused];
}
