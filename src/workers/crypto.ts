// Crypto: hashing and randomness as workerd has them.

import { hash } from 'node:crypto';
import type { Sha256 } from '../encoding/digest.ts';
import type { Random } from '../encoding/random.ts';

/** Synchronous, unlike WebCrypto: a turn of a Durable Object stays whole while it hashes. */
export const sha256: Sha256 = (data) => new Uint8Array(hash('sha256', data, 'buffer'));

export const random: Random = (length) => crypto.getRandomValues(new Uint8Array(length));
