// Cluster worker: a process that issues: the line and the listeners, over a log and limits that its sequencer keeps.

import { Socket } from 'node:net';
import type { Settings } from '../../config/settings.ts';
import { type Doors, openDoors } from '../service.ts';
import { inForce, type LoadSettings } from '../settings/reload.ts';
import { ReadFiles } from '../settings/watch.ts';
import type { Logger } from '../system/logger.ts';
import { Channel, EMPTY } from './channel.ts';
import { ClusterLimiter, ClusterLog, sequencerReadiness } from './ports.ts';
import { relayFace } from './relay.ts';
import { ASK, decode, encode, type Start, type Texts } from './wire.ts';

/** File descriptors that a sequencer gives its workers: one for the channel, one for requests that are passed on. */
export const CHANNEL_FD = 3;
export const RELAY_FD = 4;

/** What the command line knows how to do. */
export interface WorkerCommand {
  /** Reads the configuration as `flags` and files say. Throws with sentences. */
  load(flags: object, files: ReadFiles): ReturnType<LoadSettings>;
  frozen(settings: Settings, flags: object, files: ReadFiles): Settings['frozen'];
  logger(settings: Settings): Logger;
}

/** Serves until the sequencer ends or says so. */
export function runWorker(command: WorkerCommand): void {
  const stream = new Socket({ fd: CHANNEL_FD });
  const relay = new Socket({ fd: RELAY_FD });
  // A signal for the whole group means the sequencer, which tells when it is time.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  let worker: Promise<Worker> | undefined;
  const running = async (): Promise<Worker> => {
    if (worker === undefined) throw new Error('the worker has not been started');
    return worker;
  };
  const channel: Channel = new Channel(stream, async (kind, payload) => {
    switch (kind) {
      case ASK.start:
        worker = start(command, decode('start', payload), channel, relay);
        await worker;
        return EMPTY;
      case ASK.reload: {
        const { texts, cause } = decode('reload', payload);
        const { doors, loadFrom } = await running();
        return encode('done', doors.mayfly.reload(loadFrom(texts), cause));
      }
      case ASK.rotate: {
        const { doors } = await running();
        return encode('done', await doors.mayfly.rotate(decode('rotate', payload).cause));
      }
      case ASK.metrics: {
        const { doors } = await running();
        return encode('metrics', await doors.mayfly.metrics.registry.getMetricsAsJSON());
      }
      case ASK.heard:
        (await running()).doors.mayfly.hear(decode('failure', payload));
        return EMPTY;
      case ASK.close:
        await (await running()).doors.close();
        return EMPTY;
      case ASK.pulse:
        return EMPTY;
      default:
        throw new Error(`request ${kind} is not known here`);
    }
  });
  // Without a sequencer nothing that is issued here would be logged.
  void channel.closed.then(() => process.exit());
}

interface Worker {
  readonly doors: Doors;
  /** Reads a configuration of files as the sequencer has read them. */
  loadFrom(texts: Texts): LoadSettings;
}

async function start(command: WorkerCommand, given: Start, channel: Channel, relay: Socket): Promise<Worker> {
  const { number, flags, texts, current, publicUrl } = given;
  const { settings: first } = command.load(flags, new ReadFiles(texts));
  const read =
    current === undefined ? first : inForce(first, command.load(flags, new ReadFiles(current)).settings);
  const settings = asWorker(read, given);
  const logger = command.logger(settings).child({ worker: number });
  const doors = await openDoors(
    {
      settings,
      kind: 'serve',
      ephemeral: false,
      logger,
      sequencer: {
        log: new ClusterLog(channel),
        admission: {
          limiter: new ClusterLimiter(channel),
          tell: (note) => void channel.request(ASK.failure, encode('failure', note)).catch(() => undefined),
        },
        readiness: () => sequencerReadiness(channel),
        face: relayFace(relay),
      },
    },
    () => publicUrl,
  );
  return {
    doors,
    loadFrom(wanted) {
      const files = new ReadFiles(wanted);
      const load = (): ReturnType<LoadSettings> => {
        const loaded = command.load(flags, files);
        return { settings: asWorker(loaded.settings, given), warnings: [] }; // which the sequencer has told
      };
      return Object.assign(load, { frozen: () => command.frozen(read, flags, files) });
    },
  };
}

/** This worker's part of the whole. */
function asWorker(settings: Settings, { port, grpcPort, count }: Start): Settings {
  const { connections, queue } = settings.pressure;
  return {
    ...settings,
    port,
    grpcPort,
    pressure: {
      ...settings.pressure,
      connections: Math.ceil(connections / count),
      queue: Math.ceil(queue / count),
    },
  };
}
