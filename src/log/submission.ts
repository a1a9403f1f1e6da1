// Submission: a precertificate chain handed in for logging, held to RFC 6962 section 3.1, and the entry that it becomes.

import { type Bytes, concat, equal, hex } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { type PublicKey, readSubjectPublicKeyInfo } from '../key/public-key.ts';
import { recognize } from '../key/signature-algorithm.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import * as oid from '../oid.ts';
import { Problem } from '../problem.ts';
import type { PrecertEntry } from './log.ts';
import {
  readCaBits,
  readPurposes,
  readSubmittedCertificate,
  type SubmittedCertificate,
} from './submitted-certificate.ts';

/** Certificates after the precertificate, the root that was left out included. */
const MAX_CHAIN = 10;

/** Chains that were found good; an authority hands over the same one each time. */
const REMEMBERED = 64;

const POISON_VALUE = Uint8Array.of(der.TAG.null, 0);

/** A CA certificate and the key in it. */
interface Issuer {
  readonly certificate: SubmittedCertificate;
  readonly key: PublicKey;
  readonly keyHash: Bytes;
}

export interface IntakeOptions {
  readonly sha256: Sha256;
  readonly verifier: SignatureVerifier;
  /** DER of the CA certificates, roots or intermediates, to one of which a chain has to lead. */
  readonly authorities: readonly Bytes[];
}

/** What a log takes: precertificates that chain to one of its CAs, whoever brings them. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #anchors: readonly Issuer[];
  readonly #known = new Map<string, readonly Issuer[]>();

  /** Throws Problem `submission_refused` when one of the authorities cannot be read. */
  constructor(options: IntakeOptions) {
    this.#options = options;
    const title = (i: number): string => `CA ${i + 1} of the log`;
    this.#anchors = options.authorities.map((bytes, i) => this.#issuer(readable(bytes, title(i)), title(i)));
  }

  /** DER of each configured CA. */
  get authorities(): readonly Bytes[] {
    return this.#options.authorities;
  }

  /** `chain` is DER, the precertificate first, each certified by the next. Throws Problem `submission_refused`. */
  async accept(chain: readonly Bytes[]): Promise<PrecertEntry> {
    const [first, ...others] = chain;
    if (first === undefined) throw refusal('the chain is empty');
    if (others.length > MAX_CHAIN) throw refusal(`the chain has more than ${MAX_CHAIN} CA certificates`);
    const precertificate = readable(first, 'the precertificate');
    const tbs = entryTbs(precertificate);
    const issuers =
      others.length === 0 ? [await this.#anchorAbove(precertificate)] : await this.#issuersOf(others);
    const [issuer] = issuers;
    if (issuer === undefined) throw refusal('the chain is empty');
    requireLink(precertificate, issuer, 0);
    if (!(await this.#isSignedBy(precertificate, issuer)))
      throw refusal("the precertificate's signature is not by the key of its issuer");
    return {
      issuerKeyHash: issuer.keyHash,
      tbs,
      precertificate: first,
      chain: issuers.map(({ certificate }) => certificate.der),
    };
  }

  /** The CA certificates of a chain as far as a configured CA. */
  async #issuersOf(others: readonly Bytes[]): Promise<readonly Issuer[]> {
    const { sha256 } = this.#options;
    const key = hex(sha256(concat(...others.map(sha256))));
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const issuers = await this.#examine(others);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, issuers);
    return issuers;
  }

  async #examine(others: readonly Bytes[]): Promise<readonly Issuer[]> {
    const anchors = others.map((bytes) =>
      this.#anchors.find(({ certificate }) => equal(certificate.der, bytes)),
    );
    // What comes after a configured CA is vouched for by nobody, and is not kept.
    const end = anchors.findLastIndex((anchor) => anchor !== undefined);
    const issuers = others
      .slice(0, end < 0 ? others.length : end + 1)
      .map((bytes, i) => anchors[i] ?? this.#issuer(readable(bytes, titleOf(i)), titleOf(i)));
    const last = issuers.at(-1);
    if (end < 0 && last !== undefined) issuers.push(await this.#anchorAbove(last.certificate));
    if (issuers.length > MAX_CHAIN) throw refusal(`the chain has more than ${MAX_CHAIN} CA certificates`);
    for (const [i, issuer] of issuers.entries()) {
      const below = issuers[i - 1]?.certificate;
      if (below === undefined) continue;
      requireLink(below, issuer, i);
      if (!(await this.#isSignedBy(below, issuer)))
        throw refusal(`the signature of ${titleOf(i - 1)} is not by the key of the one after it`);
    }
    return issuers;
  }

  /** The root itself may be left out of a chain (RFC 6962 section 3.1). */
  async #anchorAbove(certificate: SubmittedCertificate): Promise<Issuer> {
    for (const anchor of this.#anchors)
      if (
        equal(anchor.certificate.subject, certificate.issuer) &&
        (await this.#isSignedBy(certificate, anchor))
      )
        return anchor;
    throw refusal('the chain does not lead to a CA of this log; get-roots lists them');
  }

  async #isSignedBy(certificate: SubmittedCertificate, { key }: Issuer): Promise<boolean> {
    const algorithm = recognize(certificate.signatureAlgorithm);
    if (algorithm === undefined || algorithm.refusedAs !== undefined || algorithm.keyType !== key.type)
      return false;
    return this.#options.verifier.verify(key, algorithm.hash, certificate.tbs, certificate.signature);
  }

  #issuer(certificate: SubmittedCertificate, title: string): Issuer {
    const key = decoded(() => readSubjectPublicKeyInfo(certificate.spki), title);
    if (key === undefined) throw refusal(`the key of ${title} is of an unknown kind`);
    return { certificate, key, keyHash: this.#options.sha256(certificate.spki) };
  }
}

/** Checks all of a link but the signature. `below` counts the CA certificates between `issuer` and the precertificate. */
function requireLink(certificate: SubmittedCertificate, issuer: Issuer, below: number): void {
  const above = issuer.certificate;
  const title = titleOf(below);
  if (!equal(certificate.issuer, above.subject))
    throw refusal(`${title} is not the issuer of the one before it`);
  const { mayCertify, pathLength } = decoded(() => readCaBits(above), title);
  if (!mayCertify) throw refusal(`${title} may not sign certificates`);
  if (pathLength !== undefined && below > pathLength) throw refusal(`${title} allows no so long a chain`);
  // The entry would have to name another issuer than the precertificate does (section 3.2); no client of ours has one.
  if (below === 0 && decoded(() => readPurposes(above), title).includes(oid.ctPrecertificateSigning))
    throw refusal('Precertificate Signing Certificates are not taken: sign with the issuing CA itself');
}

const titleOf = (index: number): string => `CA certificate ${index + 1}`;

/**
 * The TBSCertificate that is logged: that of the precertificate, its poison cut out and every other byte kept
 * (RFC 6962 section 3.2). Throws Problem `submission_refused`.
 */
export function entryTbs({ head, extensions }: SubmittedCertificate): Bytes {
  const poison = extensions.find(({ id }) => id === oid.ctPoison);
  if (poison === undefined) throw refusal('not a precertificate: the poison extension is missing');
  if (!poison.critical || !equal(poison.value, POISON_VALUE))
    throw refusal('the poison extension has to be critical and hold an ASN.1 NULL');
  if (extensions.some(({ id }) => id === oid.ctSctList))
    throw refusal('a precertificate cannot carry SCTs already');
  const kept = extensions.filter((extension) => extension !== poison).map(({ raw }) => raw);
  if (kept.length === 0) return der.sequence(head);
  return der.sequence(head, der.element(der.contextTag(3), der.sequence(...kept)));
}

function readable(bytes: Bytes, title: string): SubmittedCertificate {
  return decoded(() => readSubmittedCertificate(bytes), title);
}

/** Runs a reader over what a client sent. */
function decoded<T>(read: () => T, title: string): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof der.DerError || cause instanceof Problem)) throw cause;
    throw refusal(`${title} cannot be read: ${cause.message}`, cause);
  }
}

function refusal(message: string, cause?: unknown): Problem {
  return new Problem('submission_refused', { message, cause });
}
