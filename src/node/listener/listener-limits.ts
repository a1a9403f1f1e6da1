// Listener limits: how long a listener waits for its clients, and how many of them it serves at once.

import { readFileSync } from 'node:fs';
import type { PressureSettings } from '../../config/listener-settings.ts';

export type ListenerLimits = Omit<PressureSettings, 'queue'>;

/** Of listeners that nobody has configured: metrics, the development issuer. */
export const DEFAULT_LIMITS: ListenerLimits = {
  connections: 1_000,
  headerTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  idleTimeoutMs: 75_000,
};

/** How often time-outs are looked for, in ms: often enough that none is much later than it should be. */
export function checkEvery({ headerTimeoutMs, idleTimeoutMs }: ListenerLimits): number {
  return Math.min(5_000, Math.max(50, Math.min(headerTimeoutMs, idleTimeoutMs) / 2));
}

/**
 * Ms without a byte in either direction after which a connection is cut, whatever it waits for: a client that does not read its
 * answer would hold it for ever. Longer than an answer may take, and than an idle connection lasts, which is closed with more
 * courtesy.
 */
export function silenceAllowed({ requestTimeoutMs, idleTimeoutMs }: ListenerLimits): number {
  return 2 * Math.max(requestTimeoutMs, idleTimeoutMs);
}

/** File descriptors that are no clients' connections: log, keys, other servers. */
const OWN_FILES = 200;

/**
 * Connections that each of `listeners` may have, when all are full, without the process running out of file descriptors: the
 * log needs some too.
 */
export function affordable(connections: number, listeners: number, openFiles = openFileLimit()): number {
  return Math.max(1, Math.min(connections, Math.floor((openFiles - OWN_FILES) / listeners)));
}

/** Of this process; no limit where the system does not tell. */
function openFileLimit(): number {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
