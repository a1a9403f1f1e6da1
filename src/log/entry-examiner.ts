// Entry examiner: whether what a log keeps beside an entry fits it: the precertificate, and the chain that certifies it.

import { type Bytes, concat, equal, hex } from '../encoding/bytes.ts';
import { DerError } from '../encoding/der.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { type PublicKey, readSubjectPublicKeyInfo } from '../key/public-key.ts';
import { recognize } from '../key/signature-algorithm.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import { Problem } from '../problem.ts';
import type { TileLeaf } from './entry.ts';
import { entryTbs } from './submission.ts';
import { readSubmittedCertificate } from './submitted-certificate.ts';

export interface EntryExaminerOptions {
  readonly sha256: Sha256;
  readonly verifier: SignatureVerifier;
  /** A certificate by its SHA-256; undefined when the log does not have it. */
  readonly issuer: (fingerprint: Uint8Array) => Promise<Bytes | undefined>;
}

interface Issuer {
  readonly key: PublicKey;
  readonly keyHash: Bytes;
}

export class EntryExaminer {
  readonly #options: EntryExaminerOptions;
  readonly #issuers = new Map<string, Promise<Issuer | undefined>>();

  constructor(options: EntryExaminerOptions) {
    this.#options = options;
  }

  /** What is wrong with an entry, as the end of a sentence; undefined when nothing is. */
  async faultOf(entry: TileLeaf): Promise<string | undefined> {
    const [first] = entry.chain;
    if (first === undefined) return 'names no issuer';
    try {
      const certificate = readSubmittedCertificate(concat(entry.precertificate));
      if (!equal(entryTbs(certificate), entry.tbs)) return 'is not what its precertificate is without poison';
      const issuer = await this.#issuer(first);
      if (issuer === undefined) return undefined; // missing, which is told where it is missed
      if (!equal(issuer.keyHash, entry.issuerKeyHash)) return 'has the key hash of another issuer';
      const algorithm = recognize(certificate.signatureAlgorithm);
      const good =
        algorithm !== undefined &&
        algorithm.refusedAs === undefined &&
        algorithm.keyType === issuer.key.type &&
        (await this.#options.verifier.verify(
          issuer.key,
          algorithm.hash,
          certificate.tbs,
          certificate.signature,
        ));
      return good ? undefined : 'has a precertificate that its issuer did not sign';
    } catch (error) {
      if (!(error instanceof DerError || error instanceof Problem)) throw error;
      return `has a precertificate that cannot be read: ${error.message}`;
    }
  }

  #issuer(fingerprint: Uint8Array): Promise<Issuer | undefined> {
    const name = hex(fingerprint);
    const known = this.#issuers.get(name) ?? this.#readIssuer(fingerprint);
    this.#issuers.set(name, known);
    return known;
  }

  async #readIssuer(fingerprint: Uint8Array): Promise<Issuer | undefined> {
    const bytes = await this.#options.issuer(fingerprint);
    if (bytes === undefined) return undefined;
    const { spki } = readSubmittedCertificate(bytes);
    const key = readSubjectPublicKeyInfo(spki);
    return key && { key, keyHash: this.#options.sha256(spki) };
  }
}
