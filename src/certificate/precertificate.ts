// Precertificate: the poisoned, signed twin that goes to the log before the certificate exists (RFC 6962 section 3.1).

import type { Bytes } from '../encoding/bytes.ts';
import type { PrecertEntry } from '../log/log.ts';
import type { Authority } from './authority.ts';
import type { Draft } from './draft.ts';
import { POISON } from './extension.ts';
import { lint } from './lint.ts';
import type { Profile } from './profile.ts';
import { signTbs } from './signature.ts';

export class Precertificate {
  readonly #signed = true;
  readonly draft: Draft;
  /** What the log is asked to promise. */
  readonly entry: PrecertEntry;

  private constructor(draft: Draft, entry: PrecertEntry) {
    this.draft = draft;
    this.entry = entry;
  }

  /** Throws LintError, or Problem `signer_unavailable`. */
  static async of(draft: Draft, authority: Authority, profile: Profile): Promise<Precertificate> {
    const poisoned = draft.tbs(POISON);
    lint(poisoned, 'precertificate', authority, profile);
    const precertificate: Bytes = await signTbs(poisoned, authority, profile);
    return new Precertificate(draft, {
      issuerKeyHash: authority.keyHash,
      tbs: draft.tbs(),
      precertificate,
      chain: authority.chain,
    });
  }

  get signed(): boolean {
    return this.#signed;
  }
}

export const precertify = Precertificate.of;
