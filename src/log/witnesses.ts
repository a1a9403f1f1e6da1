// Witnesses: has checkpoints cosigned in the background, the newest alone, and shows them with what came back in time.

import { addSignatures, type NoteSignature, parseNote } from './note.ts';
import type { Publication } from './publisher.ts';
import type { Schedule } from './schedule.ts';
import { type Witness, WitnessError, type WitnessFailure } from './witness.ts';

/** What a witness did for one checkpoint. */
export interface WitnessReport {
  readonly name: string;
  readonly result: 'cosigned' | WitnessFailure;
  /** Of the checkpoint. */
  readonly size: number;
  readonly error?: unknown;
}

/** The log whose checkpoints are cosigned. */
export interface WitnessedLog {
  /** Brings a checkpoint before the public, unless a later one is there. */
  show(publication: Publication): Promise<void>;
  /** Proves one signed tree to be the beginning of another. */
  consistency(first: number, second: number): Promise<readonly Uint8Array<ArrayBuffer>[]>;
}

export interface WitnessesOptions {
  readonly witnesses: readonly Witness[];
  readonly schedule: Schedule;
  /** Milliseconds from any start; never goes back. */
  readonly monotonic: () => number;
  readonly onReport?: ((report: WitnessReport) => void) | undefined;
  /** Told when a checkpoint could not be shown; it will be tried again. */
  readonly onError: (error: unknown) => void;
}

/** Milliseconds between the starts of two rounds. */
const INTERVAL = 1000;
/** Milliseconds for which a checkpoint waits for cosignatures; those that come later are added if it still stands. */
const PATIENCE = 2000;
/** Milliseconds for which a witness that failed is left alone, at first and at most. */
const FIRST_REST = 5000;
const LONGEST_REST = 60_000;

interface Member {
  readonly witness: Witness;
  busy: boolean;
  rest: number;
  until: number;
}

/** A checkpoint on its round. */
interface Round {
  readonly publication: Publication;
  readonly log: WitnessedLog;
  readonly signatures: Map<Witness, NoteSignature>;
  /** Whether it has been shown: then what comes is late. */
  over: boolean;
}

export class Witnesses {
  readonly #options: WitnessesOptions;
  readonly #members: readonly Member[];
  readonly #abort = new AbortController();
  /** The newest checkpoint that no round has taken yet. */
  #next: { readonly publication: Publication; readonly log: WitnessedLog } | undefined;
  #latest: Round | undefined;
  #running: Promise<void> | undefined;
  #lastStart = Number.NEGATIVE_INFINITY;
  /** Not to show anything before this, after a failure to do so. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;
  readonly #late = new Set<Promise<void>>();
  #closed = false;

  constructor(options: WitnessesOptions) {
    this.#options = options;
    this.#members = options.witnesses.map((witness) => ({
      witness,
      busy: false,
      rest: FIRST_REST,
      until: Number.NEGATIVE_INFINITY,
    }));
  }

  /** Takes a checkpoint that was just signed; it, or a later one, will be shown. False when it is not taken. */
  take(publication: Publication, log: WitnessedLog): boolean {
    // Nobody need vouch for an empty tree.
    if (this.#closed || this.#members.length === 0 || publication.treeHead.size === 0) return false;
    this.#next = { publication, log };
    this.#pump();
    return true;
  }

  /** Asks nobody any more, and shows nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    this.#abort.abort();
    await this.#running;
    await Promise.all(this.#late);
  }

  #pump(): void {
    if (this.#closed || this.#running !== undefined || this.#next === undefined) return;
    this.#cancel?.();
    this.#cancel = undefined;
    const members = this.#free();
    const next = members.length > 0 ? this.#lastStart + INTERVAL : Number.NEGATIVE_INFINITY;
    const wait = Math.max(next, this.#notBefore) - this.#options.monotonic();
    if (wait > 0) {
      this.#cancel = this.#options.schedule(() => this.#pump(), wait);
      return;
    }
    const { publication, log } = this.#next;
    this.#next = undefined;
    this.#running = this.#round(members, publication, log).then(() => {
      this.#running = undefined;
      this.#pump();
    });
  }

  #free(): readonly Member[] {
    const now = this.#options.monotonic();
    return this.#members.filter(({ busy, until }) => !busy && until <= now);
  }

  async #round(members: readonly Member[], publication: Publication, log: WitnessedLog): Promise<void> {
    const round: Round = { publication, log, signatures: this.#carried(publication), over: false };
    this.#latest = round;
    if (members.length > 0) {
      this.#lastStart = this.#options.monotonic();
      const asked = Promise.all(members.map((member) => this.#ask(member, round)));
      await this.#within(PATIENCE, asked);
    }
    round.over = true;
    await this.#show(round);
  }

  /** A tree head that was signed anew has the same text, and what was said about that stays true. */
  #carried({ checkpoint }: Publication): Map<Witness, NoteSignature> {
    const last = this.#latest;
    const same = last !== undefined && textOf(checkpoint) === textOf(last.publication.checkpoint);
    return new Map(same ? last.signatures : []);
  }

  async #within(milliseconds: number, work: Promise<unknown>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const cancel = this.#options.schedule(late.resolve, milliseconds);
    await Promise.race([work, late.promise]);
    cancel();
  }

  async #ask(member: Member, round: Round): Promise<void> {
    const { witness } = member;
    const { publication, log } = round;
    const { size } = publication.treeHead;
    member.busy = true;
    try {
      const signature = await witness.cosign(
        {
          size,
          checkpoint: publication.checkpoint,
          consistency: async (first, second) => log.consistency(first, second),
        },
        this.#abort.signal,
      );
      member.rest = FIRST_REST;
      round.signatures.set(witness, signature);
      if (round.over && this.#latest === round) await this.#showLate(round);
      this.#options.onReport?.({ name: witness.name, result: 'cosigned', size });
    } catch (error) {
      if (this.#closed) return;
      member.until = this.#options.monotonic() + member.rest;
      member.rest = Math.min(2 * member.rest, LONGEST_REST);
      const result = error instanceof WitnessError ? error.code : 'unreachable';
      this.#options.onReport?.({ name: witness.name, result, size, error });
    } finally {
      member.busy = false;
    }
  }

  async #showLate(round: Round): Promise<void> {
    const showing = this.#show(round).finally(() => this.#late.delete(showing));
    this.#late.add(showing);
    await showing;
  }

  async #show({ publication, log, signatures }: Round): Promise<void> {
    if (this.#closed) return;
    const lines = this.#members.flatMap(({ witness }) => signatures.get(witness) ?? []);
    const checkpoint = addSignatures(publication.checkpoint, lines);
    try {
      await log.show({ ...publication, checkpoint });
    } catch (error) {
      this.#options.onError(error);
      this.#notBefore = this.#options.monotonic() + INTERVAL;
      this.#next ??= { publication, log };
    }
  }
}

function textOf(checkpoint: Uint8Array<ArrayBuffer>): string | undefined {
  return parseNote(checkpoint)?.text;
}
