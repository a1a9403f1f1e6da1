// Cluster workers: the processes that issue, as their sequencer starts, tells, replaces and ends them.

import { join, resolve } from 'node:path';
import { Counter, Gauge } from 'prom-client';
import type { MemoryLimiter } from '../../admission/memory-limiter.ts';
import type { Settings } from '../../config/settings.ts';
import type { Unreadiness } from '../../http/health.ts';
import type { FailureNote } from '../admission.ts';
import { isPinRefused } from '../keys/pin-refused.ts';
import type { RotationCause } from '../keys/rotation.ts';
import type { Mayfly } from '../mayfly.ts';
import { FROZEN_FILE } from '../settings/frozen-issuers.ts';
import type { ReloadCause } from '../settings/reload.ts';
import type { Logger } from '../system/logger.ts';
import { type SequencerSide, sequencerAnswers } from './ports.ts';
import { ClusterMetrics } from './summed-metrics.ts';
import { ASK, decode, encode, type Start, type Texts } from './wire.ts';
import { WorkerProcess } from './worker-process.ts';

export interface ClusterWorkersOptions {
  /** Program and arguments of a worker, which calls `runWorker`. */
  readonly command: readonly [string, ...string[]];
  readonly settings: Settings;
  /** Of this process. */
  readonly mayfly: Pick<Mayfly, 'log'> & {
    readonly app: Pick<Mayfly['app'], 'fetch'>;
    readonly door: Pick<Mayfly['door'], 'readiness'>;
    readonly metrics: Pick<Mayfly['metrics'], 'registry'>;
  };
  readonly limiter: MemoryLimiter;
  readonly logger: Logger;
  readonly start: Omit<Start, 'number' | 'current'>;
  /** Milliseconds between two questions whether a worker still answers; 1 s unless given. */
  readonly beat?: number;
}

/** Milliseconds before a worker that ended is replaced: the first, which doubles while they end young, and the longest. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 10_000;
const YOUNG = 30_000;
/** Milliseconds that a worker may take to tell its metrics; what it told before counts then. */
const PATIENCE = 2_000;
const BEAT = 1_000;
/** Beats in a row that may bring no sign of life: of one that serves, and of one that is beginning, which reads much at once. */
const SILENT = 10;
const SILENT_AT_FIRST = 60;
/** Milliseconds that issuances may take once all of their requests have arrived, or were cut off, when all ends. */
const LAST_ANSWERS = 5_000;

export class ClusterWorkers {
  readonly #options: ClusterWorkersOptions;
  readonly #side: SequencerSide;
  readonly #metrics: ClusterMetrics;
  readonly #exits: Counter;
  /** All that have not ended. */
  readonly #alive = new Set<WorkerProcess>();
  /** Those that serve. */
  readonly #serving = new Set<WorkerProcess>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** How often each has ended young in a row. */
  readonly #deaths = new Map<number, number>();
  /** The files of the configuration in force, where that is another than at the start. */
  #current: Texts | undefined;
  /** How often the keys were read again; one that begins meanwhile may have read them before. */
  #rotations = 0;
  #beating: NodeJS.Timeout | undefined;
  #closing = false;
  /** One that hangs would not notice that this process has ended, and would keep the ports. */
  readonly #abandon = (): void => {
    for (const worker of this.#alive) worker.kill();
  };

  constructor(options: ClusterWorkersOptions) {
    const { mayfly, limiter } = options;
    this.#options = options;
    this.#side = {
      log: mayfly.log,
      limiter,
      // A worker knows about its own keys.
      readiness: async () => (await mayfly.door.readiness()).filter(({ component }) => SHARED.has(component)),
    };
    const { registry } = mayfly.metrics;
    this.#metrics = new ClusterMetrics(registry);
    const registers = [registry];
    const serving = this.#serving;
    new Gauge({
      registers,
      name: 'mayfly_workers',
      help: 'Issuing processes that serve.',
      collect() {
        this.set(serving.size);
      },
    });
    this.#exits = new Counter({
      registers,
      name: 'mayfly_worker_exits_total',
      help: 'Issuing processes that ended unasked, or hung and were killed; each is replaced.',
      labelNames: ['reason'],
    });
    for (const reason of ['ended', 'hung']) this.#exits.inc({ reason }, 0);
  }

  /** Resolves once all of them serve; rejects with the sentence of one that cannot. */
  async start(): Promise<void> {
    const { start, beat = BEAT } = this.#options;
    process.on('exit', this.#abandon);
    this.#beating = setInterval(() => this.#beat(), beat);
    await Promise.all(Array.from({ length: start.count }, (_, i) => this.#launch(i + 1)));
  }

  #beat(): void {
    for (const worker of this.#alive) {
      const allowed = this.#serving.has(worker) ? SILENT : SILENT_AT_FIRST;
      if (!worker.beat(allowed)) continue;
      const { number } = worker;
      this.#options.logger.error({ worker: number }, 'an issuing process does not answer; it is killed');
    }
  }

  async #launch(number: number): Promise<void> {
    const { command, mayfly } = this.#options;
    const worker: WorkerProcess = new WorkerProcess({
      number,
      command,
      answer: sequencerAnswers(this.#side, (note) => this.#spread(worker, note)),
      fetch: mayfly.app.fetch,
    });
    this.#alive.add(worker);
    void worker.ended.then((how) => this.#ended(worker, how));
    try {
      let [told, rotated] = [this.#current, this.#rotations];
      const start = { ...this.#options.start, number, ...(told !== undefined && { current: told }) };
      await worker.channel.request(ASK.start, encode('start', start));
      while (told !== this.#current || rotated !== this.#rotations) {
        // Read again meanwhile.
        [told, rotated] = [this.#current, this.#rotations];
        await this.#follow(worker, told ?? this.#options.start.texts, 'file');
        if (!(await this.#takesKeys(worker, 'file')))
          throw new Error('the worker could not take up the keys');
      }
      if (!this.#alive.has(worker)) throw new Error('the worker has ended');
      this.#serving.add(worker);
    } catch (error) {
      worker.kill();
      throw error;
    }
  }

  #ended(worker: WorkerProcess, how: unknown): void {
    const { logger } = this.#options;
    const { number, since } = worker;
    if (!this.#alive.delete(worker)) return;
    const served = this.#serving.delete(worker);
    worker.channel.end();
    this.#metrics.ended(number);
    if (this.#closing || !served) return; // whoever launches it hears that it did not begin
    this.#exits.inc({ reason: worker.hung ? 'hung' : 'ended' });
    const lived = performance.now() - since;
    const deaths = lived > YOUNG ? 0 : (this.#deaths.get(number) ?? 0) + 1;
    logger.error(
      { worker: number, how, pause: pauseAfter(deaths) },
      'an issuing process has ended; it is replaced',
    );
    this.#replace(number, deaths);
  }

  #replace(number: number, deaths: number): void {
    const { logger } = this.#options;
    this.#deaths.set(number, deaths);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#launch(number).then(
        () => logger.info({ worker: number }, 'an issuing process serves in the place of one that ended'),
        (err: unknown) => {
          if (this.#closing) return;
          if (isPinRefused(err)) {
            const message =
              'an issuing process cannot be started before a restart: the token would lock itself';
            logger.error({ worker: number, err }, message);
            return;
          }
          const pause = pauseAfter(deaths + 1);
          logger.error(
            { worker: number, err, pause },
            'an issuing process cannot be started; it is tried again',
          );
          this.#replace(number, deaths + 1);
        },
      );
    }, pauseAfter(deaths));
    this.#timers.add(timer);
  }

  /** What a client got wrong at one counts at all. */
  #spread(from: WorkerProcess, note: FailureNote): void {
    const payload = encode('failure', note);
    for (const worker of this.#serving)
      if (worker !== from) worker.channel.request(ASK.heard, payload).catch(() => undefined);
  }

  /**
   * Puts the files of a configuration that this process has taken in force everywhere; of one that it has refused, the
   * list of frozen issuers alone.
   */
  reload(texts: Texts, cause: ReloadCause, taken: boolean): void {
    this.#current = taken ? texts : this.#withFrozen(texts);
    for (const worker of this.#serving) this.#follow(worker, this.#current, cause).catch(() => undefined); // it ends, and begins anew with them
  }

  #withFrozen(texts: Texts): Texts {
    const file = resolve(join(this.#options.settings.data, FROZEN_FILE));
    const [frozen] = texts.filter(([path]) => path === file);
    const before = this.#current ?? this.#options.start.texts;
    return frozen === undefined ? before : [...before.filter(([path]) => path !== file), frozen];
  }

  /** One that cannot do what this process could is not left with the old configuration. */
  async #follow(worker: WorkerProcess, texts: Texts, cause: ReloadCause): Promise<void> {
    const payload = encode('reload', { texts, cause });
    const done = await worker.channel.request(ASK.reload, payload).then(isDone, () => false);
    if (done) return;
    worker.kill();
    throw new Error('the worker could not take up the configuration');
  }

  /** Lets all look for new keys. Trust documents come from this process: they know a key before the first signature by it. */
  rotate(cause: RotationCause): void {
    this.#rotations += 1;
    for (const worker of this.#serving)
      void this.#takesKeys(worker, cause).then((done) => {
        if (!done) worker.kill(); // it begins anew with them
      });
  }

  async #takesKeys({ channel }: WorkerProcess, cause: RotationCause): Promise<boolean> {
    return channel.request(ASK.rotate, encode('rotate', { cause })).then(isDone, () => false);
  }

  /** Why the workers together could not issue now; one that is being replaced is the others' matter. */
  readiness(): readonly Unreadiness[] {
    return this.#serving.size > 0 ? [] : [{ component: 'workers', reason: 'no issuing process serves' }];
  }

  /** Of all processes together. */
  async metrics(): Promise<string> {
    await Promise.all([...this.#serving].map((worker) => this.#hear(worker)));
    return this.#metrics.text();
  }

  async #hear({ number, channel }: WorkerProcess): Promise<void> {
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), PATIENCE);
    const told = channel.request(ASK.metrics).catch(() => undefined);
    const payload = await Promise.race([told, late.promise]);
    clearTimeout(timer);
    if (payload !== undefined) this.#metrics.heard(number, decode('metrics', payload));
  }

  /**
   * Resolves when all have answered what they had accepted, and have ended; one that takes longer than its clients may is
   * killed.
   */
  async close(): Promise<void> {
    this.#closing = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const { requestTimeoutMs, headerTimeoutMs } = this.#options.settings.pressure;
    const late = setTimeout(() => this.#killLate(), requestTimeoutMs + headerTimeoutMs + LAST_ANSWERS);
    await Promise.all([...this.#alive].map((worker) => this.#finish(worker)));
    clearTimeout(late);
    clearInterval(this.#beating);
    process.off('exit', this.#abandon);
  }

  async #finish(worker: WorkerProcess): Promise<void> {
    const { channel, ended } = worker;
    if (this.#serving.has(worker)) {
      await this.#hear(worker); // its counts are asked for once more
      await channel.request(ASK.close).catch(() => undefined);
      channel.end();
    } else worker.kill();
    await ended;
  }

  #killLate(): void {
    for (const worker of this.#alive) {
      const { number } = worker;
      this.#options.logger.error({ worker: number }, 'an issuing process does not end; it is killed');
      worker.kill();
    }
  }
}

function pauseAfter(deaths: number): number {
  return deaths === 0 ? 0 : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (deaths - 1));
}

const SHARED = new Set<string>(['draining', 'log']);

function isDone(payload: Uint8Array): boolean {
  return decode('done', payload);
}
