// Native random: the Random port over Node's generator, drawn in blocks so that twenty bytes cost no system call.

import { randomFillSync } from 'node:crypto';
import type { Bytes } from '../../encoding/bytes.ts';
import type { Random } from '../../encoding/random.ts';

const BLOCK = 4096;
const pool: Bytes = new Uint8Array(BLOCK);
let used = BLOCK;

/** No byte of the pool is handed out twice, nor stays in it once it is handed out. */
export const nativeRandom: Random = (length) => {
  if (length > BLOCK) return randomFillSync(new Uint8Array(length));
  if (used + length > BLOCK) {
    randomFillSync(pool);
    used = 0;
  }
  const out = pool.slice(used, used + length);
  pool.fill(0, used, used + length);
  used += length;
  return out;
};
