// Bearers: the tokens that open a door of the operator's (RFC 6750).

import { type Bytes, utf8 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';

/** Compares by digests, in a time that tells nothing about the tokens. */
export class Bearers {
  readonly #digests: readonly Bytes[];
  readonly #sha256: Sha256;

  constructor(tokens: readonly string[], sha256: Sha256) {
    this.#sha256 = sha256;
    this.#digests = tokens.map((token) => sha256(utf8(token)));
  }

  /** Whether there are any. */
  get wanted(): boolean {
    return this.#digests.length > 0;
  }

  /** Whether the Authorization header shows one of them. */
  matches(authorization: string | undefined): boolean {
    const token = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
    const digest = this.#sha256(utf8(token));
    let matches = 0;
    for (const known of this.#digests) {
      let difference = 0;
      for (const [i, byte] of known.entries()) difference |= byte ^ (digest[i] ?? 0);
      matches |= Number(difference === 0);
    }
    return matches !== 0;
  }
}
