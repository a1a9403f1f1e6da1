// Sequencer limits: how much a log takes on before it answers 503, and how large an entry may be.

/** Bounds on what the log takes on; beyond them it answers 503 rather than grow. */
export interface SequencerLimits {
  /** Entries and bytes of one commit. */
  readonly batchEntries: number;
  readonly batchBytes: number;
  /** Entries that may wait for a commit. */
  readonly queue: number;
  /** Bytes of entries that may wait for publication. */
  readonly unpublishedBytes: number;
  /** Milliseconds that timestamps may run ahead of a clock that was set back. */
  readonly clockLag: number;
  /** Milliseconds between attempts to read the storage again after a failed write. */
  readonly retry: number;
}

export const SEQUENCER_LIMITS: SequencerLimits = {
  batchEntries: 512,
  batchBytes: 2 ** 20,
  queue: 8192,
  unpublishedBytes: 2 ** 26,
  clockLag: 5000,
  retry: 1000,
};

/** The largest precertificate; with it a leaf stays under the 65,535 bytes that tlog-mirror can carry. */
export const MAX_CERTIFICATE = 2 ** 15;
export const MAX_CHAIN = 10;
