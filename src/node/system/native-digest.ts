// Native digest: SHA-256 from node:crypto.

import { hash } from 'node:crypto';

import type { Sha256 } from '../../encoding/digest.ts';

/** A plain view, as a Buffer would slice and print in its own way. */
export const sha256: Sha256 = (data) => {
  const digest = hash('sha256', data, 'buffer');
  return new Uint8Array(digest.buffer, digest.byteOffset, digest.length);
};
