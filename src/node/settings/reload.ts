// Reload: the configuration read again while the instance serves: whom to trust and for what, and how often.

import { isDeepStrictEqual } from 'node:util';
import { Gauge, type Registry } from 'prom-client';
import { type Mistake, SettingsError } from '../../config/mistake.ts';
import type { Settings } from '../../config/settings.ts';
import type { Logger } from '../system/logger.ts';
import { ReadFiles, watchFiles } from './watch.ts';

export type ReloadCause = 'signal' | 'file';

export interface LoadSettings {
  /** Reads the configuration. Throws SettingsError, or an Error with a sentence. */
  (): { readonly settings: Settings; readonly warnings: readonly Mistake[] };
  /** Reads who is frozen: counts also where the configuration has mistakes. Throws an Error with a sentence. */
  readonly frozen?: () => Settings['frozen'];
}

export interface ReloadOptions {
  /** What the instance began with. */
  readonly running: Settings;
  /** Puts settings in force for the next request. Throws, and changes nothing, where they cannot be used. */
  readonly apply: (settings: Settings) => void;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Settings that `apply` puts in force, or that this instance has no use for; those of an issuing instance unless given. */
  readonly live?: ReadonlySet<keyof Settings>;
}

export class Reload {
  readonly #options: ReloadOptions;
  #current: Settings;
  readonly #success: Gauge;
  readonly #timestamp: Gauge;

  constructor(options: ReloadOptions) {
    const registers = [options.registry];
    this.#options = options;
    this.#current = options.running;
    this.#success = new Gauge({
      registers,
      name: 'mayfly_config_last_reload_success',
      help: '1 when the configuration in force is the one that was read last, 0 when that was refused.',
      aggregator: 'min',
    });
    this.#timestamp = new Gauge({
      registers,
      name: 'mayfly_config_last_reload_timestamp_seconds',
      help: 'Unix time at which the configuration in force was read.',
      aggregator: 'min',
    });
    this.#succeed();
  }

  /** All or nothing: with any mistake everything stays as it is. Never throws. Returns whether the new settings are in force. */
  run(load: LoadSettings, cause: ReloadCause): boolean {
    const { running, apply, logger, live } = this.#options;
    try {
      const loaded = load();
      const { warnings } = loaded;
      const settings =
        load.frozen === undefined ? loaded.settings : withFrozen(loaded.settings, load.frozen());
      apply(settings);
      const before = this.#current;
      this.#current = settings;
      for (const { path, line, message } of warnings) logger.warn({ path, line }, message);
      const restart = restartNeeded(running, settings, live);
      const facts = { cause, issuers: settings.issuers.length, frozen: [...(settings.frozen ?? [])] };
      logger.info(facts, 'configuration read again and in force');
      if (settings.issuers.length === 0 && before.issuers.length > 0)
        logger.warn('the configuration trusts no issuer any more: every token is refused');
      if (restart.length > 0)
        logger.warn({ settings: restart }, 'changed in the configuration, and not in force before a restart');
      this.#succeed();
      return true;
    } catch (failure) {
      this.#success.set(0);
      const mistakes = failure instanceof SettingsError ? { mistakes: failure.mistakes } : { err: failure };
      logger.error({ cause, ...mistakes }, 'the configuration cannot be used; the one before stays in force');
      this.#freeze(load);
      return false;
    }
  }

  /** Stopping an issuer must not wait for somebody to mend the file. */
  #freeze({ frozen }: LoadSettings): void {
    const { apply, logger } = this.#options;
    try {
      const list = frozen?.();
      if (frozen === undefined || isDeepStrictEqual(list, this.#current.frozen)) return;
      this.#current = withFrozen(this.#current, list);
      apply(this.#current);
      logger.warn(
        { frozen: [...(list ?? [])] },
        'frozen issuers are others now, under the configuration before',
      );
    } catch (failure) {
      logger.error(
        { err: failure },
        'the list of frozen issuers cannot be read; the one before stays in force',
      );
    }
  }

  #succeed(): void {
    this.#success.set(1);
    this.#timestamp.setToCurrentTime();
  }
}

function withFrozen({ frozen: _, ...settings }: Settings, frozen: Settings['frozen']): Settings {
  return frozen === undefined ? settings : { ...settings, frozen };
}

/** What `apply` puts in force; of rate-limits the rates alone, of TLS what the files hold. */
const LIVE: ReadonlySet<keyof Settings> = new Set([
  'issuers',
  'frozen',
  'errors',
  'alsoTrusted',
  'clientSigningAlgorithms',
  'limits',
  'tls',
  'grpcTls',
]);

/** `running` with what a running instance takes over from `wanted`. */
export function inForce(running: Settings, wanted: Settings): Settings {
  const { issuers, errors, alsoTrusted, clientSigningAlgorithms, limits, log, tls, grpcTls } = wanted;
  const { backend, redis, onBackendError } = running.limits;
  const { frozen: _, alsoTrusted: __, ...rest } = running;
  return {
    ...rest,
    issuers,
    errors,
    ...(alsoTrusted !== undefined && { alsoTrusted }),
    clientSigningAlgorithms,
    ...(running.log.kind === 'remote' && log.kind === 'remote' && { log }),
    limits: { ...limits, backend, onBackendError, ...(redis !== undefined && { redis }) },
    ...(wanted.frozen !== undefined && { frozen: wanted.frozen }),
    ...(running.tls !== undefined && tls !== undefined && { tls }),
    ...(running.grpcTls !== undefined && grpcTls !== undefined && { grpcTls }),
  };
}

/** Keys of the file that differ and that a running instance cannot change. */
export function restartNeeded(
  running: Settings,
  wanted: Settings,
  live: ReadonlySet<keyof Settings> = LIVE,
): readonly string[] {
  const differ = (name: keyof Settings): boolean =>
    !isDeepStrictEqual(comparable(running, name), comparable(wanted, name));
  // Both have been made by the same reader, so the keys are those of Settings.
  const names = [...new Set([...Object.keys(running), ...Object.keys(wanted)])] as (keyof Settings)[];
  const keys: string[] = names.filter((name) => !live.has(name) && differ(name)).map(keyOf);
  const store = ({ limits: { backend, redis, onBackendError } }: Settings) => [
    backend,
    redis,
    onBackendError,
  ];
  if (wanted.limits.enabled && !isDeepStrictEqual(store(running), store(wanted))) keys.push('rate-limits');
  const kindOf = (tls: Settings['tls']) => [tls !== undefined, tls?.clientCa !== undefined];
  for (const name of ['tls', 'grpcTls'] as const)
    if (live.has(name) && !isDeepStrictEqual(kindOf(running[name]), kindOf(wanted[name])))
      keys.push(keyOf(name));
  return keys;
}

/** Logs elsewhere are followed by others; whether the log is elsewhere takes a restart. */
function comparable({ log, ...settings }: Settings, name: keyof Settings): unknown {
  if (name !== 'log') return settings[name];
  return log.kind === 'remote' ? log.kind : log;
}

function keyOf(name: string): string {
  return NAMES[name] ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const NAMES: Readonly<Record<string, string>> = {
  drainDelayMs: 'drain-delay',
  grpcTls: 'grpc-tls-certificate',
  logBearers: 'log-bearer',
};

export interface Reloading {
  /** Reload.run. */
  readonly reload: (load: LoadSettings, cause: ReloadCause, files: ReadFiles) => unknown;
  /** Reads the configuration, through the files given. */
  readonly load: (files: ReadFiles) => ReturnType<LoadSettings>;
  /** Reads who is frozen, through the files given. */
  readonly frozen: (files: ReadFiles) => Settings['frozen'];
  /** Those that the settings in force were read from. */
  readonly files: ReadFiles;
  readonly logger: Logger;
}

/** Reads the configuration again on SIGHUP and when its files change, until the function returned is called. */
export function reloadOnChange({ reload, load, frozen, files, logger }: Reloading): () => void {
  let current = files;
  const again = (cause: ReloadCause): void => {
    const read = new ReadFiles(); // also where it fails: the same mistakes are not told twice
    current = read;
    reload(
      Object.assign(() => load(read), { frozen: () => frozen(read) }),
      cause,
      read,
    );
  };
  const onSignal = (): void => again('signal');
  process.on('SIGHUP', onSignal);
  const stop = watchFiles(
    () => current,
    () => again('file'),
    {
      onUnwatched: (folder, cause) =>
        logger.warn(
          { folder, err: cause },
          'the folder cannot be watched; its files are looked at every 30 s',
        ),
    },
  );
  return () => {
    process.off('SIGHUP', onSignal);
    stop();
  };
}
