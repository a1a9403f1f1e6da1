// Certificate: the ten-minute leaf, from the same Draft as its precertificate and with exactly one SCT.

import type { Bytes } from '../encoding/bytes.ts';
import type { Sct } from '../log/log.ts';
import type { Authority } from './authority.ts';
import type { Draft } from './draft.ts';
import { sctListExtension } from './extension.ts';
import { lint } from './lint.ts';
import type { Precertificate } from './precertificate.ts';
import type { Profile } from './profile.ts';
import { signTbs } from './signature.ts';

export class Certificate {
  readonly #issued = true;
  readonly draft: Draft;
  readonly der: Bytes;
  /** The embedded SCT; undefined where no log is configured. */
  readonly sct: Sct | undefined;

  private constructor(draft: Draft, der: Bytes, sct: Sct | undefined) {
    this.draft = draft;
    this.der = der;
    this.sct = sct;
  }

  /** Throws LintError, or Problem `signer_unavailable`. */
  static async of(
    precertificate: Precertificate,
    sct: Sct,
    authority: Authority,
    profile: Profile,
  ): Promise<Certificate> {
    const { draft } = precertificate;
    const tbs = draft.tbs(sctListExtension(sct));
    lint(tbs, 'certificate', authority, profile);
    return new Certificate(draft, await signTbs(tbs, authority, profile), sct);
  }

  /** For `log: none`: no precertificate, no SCT, as Fulcio issues without a CT log. */
  static async withoutLog(draft: Draft, authority: Authority, profile: Profile): Promise<Certificate> {
    const tbs = draft.tbs();
    lint(tbs, 'certificate-without-sct', authority, profile);
    return new Certificate(draft, await signTbs(tbs, authority, profile), undefined);
  }

  get issued(): boolean {
    return this.#issued;
  }
}

export const certify = Certificate.of;
export const certifyWithoutLog = Certificate.withoutLog;
