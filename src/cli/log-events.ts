// Log events: what a monitor tells: on standard output, and to a webhook.

import { setTimeout as sleep } from 'node:timers/promises';
import { printable } from '../certificate/plain-words.ts';
import type { Alarm, AlarmKind } from '../log/monitor.ts';
import { fetchPoster } from '../web/fetch-poster.ts';

export type LogEvent =
  | {
      readonly event: 'issuance';
      /** Origin of the log. */
      readonly log: string;
      readonly index: number;
      /** Times as in RFC 3339. */
      readonly logged: string;
      readonly identity: string;
      readonly issuer: string;
      /** Hex. */
      readonly serial: string;
      readonly not_before: string;
      readonly not_after: string;
      readonly attributes: Readonly<Record<string, string>>;
    }
  /** A certificate whose names cannot be read: it may be for anybody. */
  | { readonly event: 'unreadable'; readonly log: string; readonly index: number; readonly logged: string }
  | {
      readonly event: 'alarm';
      readonly log: string;
      readonly alarm: AlarmKind;
      readonly message: string;
      /** Signed notes that prove it, older first. */
      readonly evidence: readonly string[];
    };

export function alarmEvent(log: string, { kind, message, evidence }: Alarm): LogEvent {
  const notes = evidence.map(({ note }) => Buffer.from(note).toString('utf8'));
  return { event: 'alarm', log, alarm: kind, message, evidence: notes };
}

export interface TellerOptions {
  readonly json: boolean;
  readonly webhook: string | undefined;
}

/** Milliseconds before each further attempt to reach the webhook. */
const WAITS = [200, 1000];

export class Teller {
  readonly #options: TellerOptions;

  constructor(options: TellerOptions) {
    this.#options = options;
  }

  /** Rejects when the webhook does not take the event; it was printed all the same. */
  async tell(event: LogEvent): Promise<void> {
    const { json, webhook } = this.#options;
    const text = json ? JSON.stringify(event) : wordsOf(event);
    process.stdout.write(`${text}\n`);
    if (webhook !== undefined) await post(webhook, JSON.stringify(event));
  }
}

function wordsOf(event: LogEvent): string {
  switch (event.event) {
    case 'issuance': {
      const { logged, index, identity, issuer } = event;
      return `${logged}  entry ${index}  ${printable(identity)}  on the word of ${printable(issuer)}`;
    }
    case 'unreadable':
      return `${event.logged}  entry ${event.index}  has names that cannot be read: it may be for anybody`;
    case 'alarm':
      return [`ALARM  ${event.alarm}  ${printable(event.message)}`, ...event.evidence].join('\n');
    default:
      return event satisfies never;
  }
}

async function post(webhook: string, body: string): Promise<void> {
  let why = '';
  for (const wait of [...WAITS, undefined]) {
    try {
      const { status } = await fetchPoster.post(webhook, body, { timeoutMs: 10_000, maxBytes: 2 ** 16 });
      if (status >= 200 && status < 300) return;
      why = `it answered with status ${status}`;
    } catch {
      why = 'it gave no answer';
    }
    if (wait !== undefined) await sleep(wait);
  }
  throw new Error(`the webhook did not take an event: ${why}`);
}
