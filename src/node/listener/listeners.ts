// Listeners: what the settings make of the listeners of REST and gRPC, and how new certificates come to them.

import { X509Certificate } from 'node:crypto';
import { Counter, Gauge, type Registry } from 'prom-client';
import { Capacity } from '../../capacity.ts';
import type { TlsSettings } from '../../config/listener-settings.ts';
import type { Settings } from '../../config/settings.ts';
import type { Problem } from '../../problem.ts';
import type { Logger } from '../system/logger.ts';
import { throttled } from '../system/throttled.ts';
import { type Listener, type ListenerOptions, WORD_EVERY } from './listener.ts';
import { affordable } from './listener-limits.ts';
import { requireUsable, tlsIdentity } from './tls-identity.ts';

export type ListenerName = 'REST' | 'gRPC';

/** Throws an Error with a sentence where certificate and key cannot be used. */
export function listenerOptions(
  settings: Settings,
  name: ListenerName,
  logger: Logger,
): Pick<ListenerOptions, 'tls' | 'limits' | 'onFull'> {
  const tls = tlsOf(settings, name);
  if (tls !== undefined) requireUsable(tls, name);
  const { connections: wanted } = settings.pressure;
  const connections = affordable(wanted, settings.role === 'log' ? 1 : 2);
  if (connections < wanted / 2)
    logger.warn(
      { listener: name, connections, wanted },
      'the limit of open files is too low for pressure.connections',
    );
  return {
    tls: tls && tlsIdentity(tls),
    limits: { ...settings.pressure, connections },
    onFull: () => logger.warn({ listener: name, connections }, 'all connections are taken'),
  };
}

function tlsOf({ tls, grpcTls }: Settings, name: ListenerName): TlsSettings | undefined {
  return name === 'REST' ? tls : grpcTls;
}

/**
 * Checks the certificates of `wanted`, and returns what puts them in force. Throws an Error with a sentence where one cannot
 * be used. A client CA comes and goes with a restart only: a listener that asks for certificates would otherwise take
 * those of any public CA.
 */
export function renewal(
  running: Settings,
  wanted: Settings,
  listeners: ReadonlyMap<ListenerName, Pick<Listener, 'renew'>>,
): () => void {
  const renewals = [...listeners].flatMap(([name, listener]) => {
    const [before, after] = [tlsOf(running, name), tlsOf(wanted, name)];
    if (before === undefined || after === undefined) return [];
    const { clientCa = before.clientCa, ...rest } = after;
    const tls = { ...rest, ...(clientCa !== undefined && { clientCa }) };
    requireUsable(tls, name);
    return [() => listener.renew(tlsIdentity(tls))];
  });
  return () => {
    for (const renew of renewals) renew();
  };
}

/** What `pressure.queue` allows, counted by metrics, with a word in the log now and then. */
export function openCapacity(
  { pressure }: Pick<Settings, 'pressure'>,
  logger: Logger,
  registry: Registry,
  onRefused: (problem: Problem) => void = () => {},
): Capacity {
  const { queue } = pressure;
  const tell = throttled(WORD_EVERY, () => {
    logger.warn({ queue, refused: capacity.refused }, 'the queue is full: requests are answered with 503');
  });
  let over: NodeJS.Timeout | undefined;
  const capacity: Capacity = new Capacity(queue, (problem) => {
    onRefused(problem);
    tell();
    over ??= setTimeout(() => {
      over = undefined;
      logger.info({ queue, refused: capacity.refused }, 'the queue has had room for ten seconds');
    }, WORD_EVERY).unref();
    over.refresh();
  });
  const registers = [registry];
  new Gauge({
    registers,
    name: 'mayfly_queue_length',
    help: 'Issuances or submissions under way.',
    collect() {
      this.set(capacity.taken);
    },
  });
  new Counter({
    registers,
    name: 'mayfly_queue_refused_total',
    help: 'Issuances or submissions refused because the queue was full.',
    collect() {
      this.reset();
      this.inc(capacity.refused);
    },
  });
  return capacity;
}

/** Metrics of all listeners; `current` gives the settings in force. */
export function listenerMetrics(
  registry: Registry,
  listeners: ReadonlyMap<ListenerName, Listener>,
  current: () => Settings,
): void {
  const registers = [registry];
  const labelNames = ['listener'];
  new Gauge({
    registers,
    name: 'mayfly_connections',
    help: 'Open connections.',
    labelNames,
    collect() {
      for (const [listener, { connections }] of listeners) this.set({ listener }, connections);
    },
  });
  new Counter({
    registers,
    name: 'mayfly_connections_dropped_total',
    help: 'Connections turned away because there were too many.',
    labelNames,
    collect() {
      this.reset();
      for (const [listener, { dropped }] of listeners) this.inc({ listener }, dropped);
    },
  });
  new Gauge({
    registers,
    name: 'mayfly_tls_not_after_seconds',
    help: 'Unix time at which the TLS certificate of a listener expires.',
    labelNames,
    aggregator: 'min',
    collect() {
      for (const name of listeners.keys()) {
        const tls = tlsOf(current(), name);
        if (tls !== undefined) this.set({ listener: name }, notAfter(tls) / 1000);
      }
    },
  });
}

function notAfter({ certificate }: TlsSettings): number {
  return new X509Certificate(certificate.pem).validToDate.getTime();
}
