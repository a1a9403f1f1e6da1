// log watch: follows a log as a monitor does: tells of certificates for an identity, and raises the alarm when the log misbehaves.

import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { IdentityPattern } from '../client/identity-pattern.ts';
import { parseDuration } from '../config/duration.ts';
import { saysFinal } from '../log/description.ts';
import type { TileLeaf } from '../log/entry.ts';
import type { LogClient } from '../log/log-client.ts';
import { Alarm, BEGINNING, Monitor, type Progress } from '../log/monitor.ts';
import { knownLogIn, readMonitorState, writeMonitorState } from '../node/log/monitor-state.ts';
import { sha256 } from '../node/system/native-digest.ts';
import { type AccessFlags, accessLog, addAccessFlags, type LogAccess, pinTo } from './log-access.ts';
import { alarmEvent, type LogEvent, Teller } from './log-events.ts';
import { Watchlist } from './log-watchlist.ts';
import { EXIT_FOUND_WRONG, EXIT_NOT_DONE, type JsonFlag } from './outcome.ts';
import { ProgressLine } from './progress.ts';

interface WatchFlags extends JsonFlag, AccessFlags {
  identity: readonly string[];
  issuer?: string;
  state?: string;
  from?: number | 'now';
  webhook?: string;
  once?: boolean;
  interval: number;
  stale: number;
}

const EXIT_CODES = `
Exit codes:
  0  stopped by a signal, or with --once: all is well
  ${EXIT_FOUND_WRONG}  alarm: the log forked, went back, showed entries that it did not sign, or (with --once) is stale
  ${EXIT_NOT_DONE}  could not look: wrong use, no answer, a file that cannot be read or written`;

export function watchCommand(): Command {
  const command = new Command('watch')
    .description('follow a log: tell of certificates for an identity, and of a log that misbehaves')
    .argument('<url>', 'a Mayfly, or the log itself')
    .requiredOption(
      '--identity <pattern...>',
      'names in certificates to tell of, where each * stands for any text',
    )
    .option('--issuer <url>', 'only certificates on the word of this OIDC issuer, exactly')
    .option('--state <file>', 'keep there how far the log was followed, and go on from there')
    .option('--from <index>', 'without a state: the first entry to look at, or "now" (default: 0)', start)
    .option('--webhook <url>', 'post each certificate and each alarm there as JSON')
    .option('--once', 'look once, and end')
    .option('--interval <time>', 'time between looks', duration, 10_000)
    .option('--stale <time>', 'age of the newest tree head that is an alarm', duration, 5 * 60_000)
    .option('--json', 'print one JSON object on each line')
    .addHelpText('after', EXIT_CODES)
    .exitOverride();
  return addAccessFlags(command).action(watch);
}

async function watch(url: string, flags: WatchFlags): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const teller = new Teller({ json: flags.json === true, webhook: flags.webhook });
  try {
    process.exitCode = await follow(url, flags, teller, stop.signal);
  } catch (failure) {
    complain(failure);
    process.exitCode = EXIT_NOT_DONE;
  }
}

function complain(failure: unknown): void {
  const sentence = failure instanceof Error ? failure.message : String(failure);
  process.stderr.write(`mayfly: ${printable(sentence)}\n`);
}

/** Resolves with the exit code. */
async function follow(url: string, flags: WatchFlags, teller: Teller, stop: AbortSignal): Promise<number> {
  const access = await accessLog(
    url,
    pinTo(flags, flags.state === undefined ? undefined : knownLogIn(flags.state)),
  );
  const { client } = access;
  const progress = new ProgressLine('entries looked at');
  const monitor = await monitorOf(client, flags, teller, progress, stop);
  let stale = false;
  while (!stop.aborted) {
    try {
      await monitor.look(Date.now());
      stale = false;
      if (flags.once === true) return 0;
    } catch (failure) {
      progress.end();
      if (stop.aborted) return 0;
      if (!(failure instanceof Alarm)) {
        if (flags.once === true) throw failure;
        complain(failure);
      } else if (failure.kind === 'stale' && (await isRetired(access, failure))) {
        complain(
          new Error(
            `the log ${client.log.origin} was retired, and all of it has been looked at; another has taken its place`,
          ),
        );
        return 0;
      } else if (failure.kind !== 'stale' || flags.once === true || !stale) {
        // It was printed; a webhook that is away must not turn an alarm into an obstacle.
        await teller.tell(alarmEvent(client.log.origin, failure)).catch(complain);
        if (failure.kind !== 'stale' || flags.once === true) return EXIT_FOUND_WRONG;
        stale = true;
      }
    }
    await sleep(flags.interval, undefined, { signal: stop }).catch(() => undefined);
  }
  return 0;
}

/** A log that takes no more entries signs no more tree heads, and says so. */
async function isRetired({ get }: LogAccess, { evidence }: Alarm): Promise<boolean> {
  const [last] = evidence;
  const listed = await get('log.v3.json').catch(() => undefined);
  return last !== undefined && listed !== undefined && saysFinal(new TextDecoder().decode(listed), last);
}

async function monitorOf(
  client: LogClient,
  flags: WatchFlags,
  teller: Teller,
  line: ProgressLine,
  stop: AbortSignal,
): Promise<Monitor> {
  const { state, identity, issuer } = flags;
  const kept = state === undefined ? BEGINNING : await readMonitorState(state, client);
  const beginning = kept.checkpoint === undefined ? await beginningAt(flags.from ?? 0, client) : kept;
  const list = new Watchlist(
    identity.map((text) => new IdentityPattern(text)),
    issuer,
  );
  return new Monitor(
    {
      client,
      sha256,
      staleAfter: flags.stale,
      async onEntries(entries: readonly TileLeaf[]) {
        stop.throwIfAborted(); // what was looked at so far is kept
        const events = entries.flatMap(
          (entry): LogEvent | readonly LogEvent[] => list.eventOf(client.log.origin, entry) ?? [],
        );
        if (events.length > 0) line.end();
        for (const event of events) await teller.tell(event);
      },
      onProgress(progress: Progress) {
        line.tell(progress.examined.size, progress.checkpoint?.size);
        if (progress.examined.size === progress.checkpoint?.size) line.end();
        if (state !== undefined) writeMonitorState(state, client, progress);
      },
    },
    beginning,
  );
}

/** The tree up to that entry is not looked at, but what follows has to continue it. */
async function beginningAt(from: number | 'now', client: LogClient): Promise<Progress> {
  if (from === 0) return BEGINNING;
  const checkpoint = await client.treeHead();
  if (from !== 'now' && from > checkpoint.size)
    throw new Error(`the log has ${checkpoint.size} entries: --from has to be one of them, or now`);
  const size = from === 'now' ? checkpoint.size : from;
  return { checkpoint, examined: await client.frontierOf(size, checkpoint) };
}

function start(text: string): number | 'now' {
  if (text === 'now') return text;
  if (!/^\d{1,13}$/.test(text)) throw new InvalidArgumentError('an index, or now');
  return Number(text);
}

function duration(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined || milliseconds === 0)
    throw new InvalidArgumentError('a number with a unit, such as 30s or 5m');
  return milliseconds;
}
