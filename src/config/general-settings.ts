// General settings: all that an instance runs with besides whom it trusts.

import type * as z from 'zod';
import { type AccessSettings, readAccess } from './access-settings.ts';
import { type CaSettings, readCa } from './ca-settings.ts';
import type { Findings } from './findings.ts';
import { type LimitSettings, readLimits } from './limit-settings.ts';
import { type ListenerSettings, readListener } from './listener-settings.ts';
import type { MapNode } from './node.ts';
import { generalSchema } from './schema.ts';
import { readSignals, type SignalSettings } from './signal-settings.ts';
import { readTransparency, type TransparencySettings } from './transparency-settings.ts';
import { defined, type Reader } from './trust-material.ts';
import { readTrust, type TrustSettings } from './trust-settings.ts';

export interface GeneralSettings
  extends TransparencySettings,
    AccessSettings,
    ListenerSettings,
    SignalSettings,
    TrustSettings {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly grpcPort: number;
  /** Where clients reach the instance when not at host and port; without a final slash. */
  readonly publicUrl?: string;
  readonly drainDelayMs: number;
  /** Processes that issue, beside one that keeps the log; 1 for a single process that does both. */
  readonly workers: number;
  /** Folder. */
  readonly data: string;
  /** An existing CA. */
  readonly ca?: CaSettings;
  /** For the keys that Mayfly makes itself. */
  readonly keyPassphraseFile?: string;
  readonly clientSigningAlgorithms: readonly string[];
  readonly errors: 'helpful' | 'terse';
  readonly limits: LimitSettings;
}

type General = z.output<typeof generalSchema>;

/** Undefined where nothing of it can be read; with mistakes among the findings, what stands in for them is no setting. */
export function readGeneralSettings(root: MapNode, reader: Reader): GeneralSettings | undefined {
  const { findings } = reader;
  const general = findings.read(generalSchema, root, []);
  if (general === undefined) return undefined;
  checkPorts(general, findings);
  return {
    host: general.host,
    port: general.port,
    grpcPort: general['grpc-port'],
    ...defined('publicUrl', general['public-url']),
    ...readSignals(general, reader),
    drainDelayMs: general['drain-delay'],
    workers: general.workers,
    data: general.data,
    ...readListener(general, reader),
    ...readTransparency(general, reader),
    ...readAccess(general, reader),
    ...readTrust(general, reader),
    ...defined('ca', general.ca && readCa(general.ca)),
    ...defined('keyPassphraseFile', general['key-passphrase-file']),
    clientSigningAlgorithms: general['client-signing-algorithms'],
    errors: general.errors,
    limits: readLimits(general['rate-limits'], reader),
  };
}

function checkPorts(general: General, findings: Findings): void {
  const names = ['port', 'grpc-port', 'metrics-port'] as const;
  for (const [index, name] of names.entries()) {
    const taken = names.slice(0, index).find((other) => general[other] === general[name]);
    const said = taken !== undefined && findings.isSound([taken]) && findings.isSound([name]);
    if (said && general[name] !== 0) findings.error([name], `takes another port than ${taken}`);
  }
}
