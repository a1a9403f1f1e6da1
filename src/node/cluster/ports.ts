// Cluster ports: log, limiter and what else the sequencer keeps for all, as a worker asks for them; and the sequencer's answers.

import type { Charge, Limiter, Verdict } from '../../admission/limiter.ts';
import type { MemoryLimiter } from '../../admission/memory-limiter.ts';
import type { ReplayCheck } from '../../admission/replay.ts';
import type { Instant } from '../../clock.ts';
import type { Bytes } from '../../encoding/bytes.ts';
import type { Unreadiness } from '../../http/health.ts';
import type { Log, PrecertEntry, Sct } from '../../log/log.ts';
import { Problem } from '../../problem.ts';
import type { FailureNote } from '../admission.ts';
import { type Answerer, type Channel, EMPTY } from './channel.ts';
import {
  ASK,
  decode,
  EntryDecoder,
  EntryEncoder,
  encode,
  readSct,
  readSpending,
  readVerdict,
  type Spending,
  writeSct,
  writeSpending,
  writeVerdict,
} from './wire.ts';

/** The log of the sequencer: it alone has the key, and signs an SCT once the entry is durable. */
export class ClusterLog implements Log {
  readonly #channel: Channel;
  readonly #entries = new EntryEncoder();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  async append(entry: PrecertEntry): Promise<Sct> {
    try {
      return readSct(await this.#channel.request(ASK.append, (out) => this.#entries.write(out, entry)));
    } catch (cause) {
      throw cause instanceof Problem ? cause : new Problem('log_unavailable', { cause });
    }
  }
}

/** Buckets and replay record of the sequencer, so that limits hold over all workers together. */
export class ClusterLimiter implements Limiter {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  async spend(
    issuerKey: string,
    charges: readonly Charge[],
    replay: ReplayCheck | undefined,
    now: Instant,
  ): Promise<Verdict> {
    const spending = { issuerKey, charges, replay, now };
    let payload: Bytes;
    try {
      payload = await this.#channel.request(ASK.spend, (out) => writeSpending(out, spending));
    } catch {
      return { allowed: false, reason: 'unavailable' }; // the sequencer is gone, and this process with it in a moment
    }
    return readVerdict(payload, charges, () => this.#give(spending));
  }

  async #give(spending: Spending): Promise<void> {
    const given = this.#channel.request(ASK.give, (out) => writeSpending(out, spending));
    await given.catch(() => undefined);
  }
}

/** Why the sequencer is not ready. */
export async function sequencerReadiness(channel: Channel): Promise<readonly Unreadiness[]> {
  try {
    return decode('readiness', await channel.request(ASK.readiness));
  } catch {
    return [{ component: 'log', reason: 'the sequencer does not answer' }];
  }
}

export interface SequencerSide {
  /** Undefined where the workers have a log elsewhere, or none. */
  readonly log: Log | undefined;
  readonly limiter: MemoryLimiter;
  readiness(): Promise<readonly Unreadiness[]>;
}

/** Answers the requests of one worker; `onFailure` is told of what its clients got wrong. */
export function sequencerAnswers(
  { log, limiter, readiness }: SequencerSide,
  onFailure: (note: FailureNote) => void,
): Answerer {
  const entries = new EntryDecoder();
  return (kind, payload) => {
    switch (kind) {
      case ASK.append:
        if (log === undefined) throw new Error('there is no log here');
        return log.append(entries.read(payload)).then((sct) => (out) => writeSct(out, sct));
      case ASK.spend: {
        const { issuerKey, charges, replay, now } = readSpending(payload);
        const verdict = limiter.spend(issuerKey, charges, replay, now);
        return (out) => writeVerdict(out, verdict, charges);
      }
      case ASK.give: {
        const { charges, replay } = readSpending(payload);
        limiter.give(charges, replay);
        return EMPTY;
      }
      case ASK.readiness:
        return readiness().then((reasons) => encode('readiness', reasons));
      case ASK.failure:
        onFailure(decode('failure', payload));
        return EMPTY;
      default:
        throw new Error(`request ${kind} is not known here`);
    }
  };
}
