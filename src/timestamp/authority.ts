// Timestamp authority: states at what time a digest existed, under a key of its own (RFC 3161).

import { type Clock, type Instant, secondsOf } from '../clock.ts';
import type { Bytes } from '../encoding/bytes.ts';
import { equal } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { Random } from '../encoding/random.ts';
import type { Signer } from '../key/signer.ts';
import * as oid from '../oid.ts';
import { readTimestampChain, type TimestampChain } from './chain.ts';
import { decodeQuery, type TimestampQuery } from './query.ts';
import { encodeRejection, TimestampRejection } from './rejection.ts';
import {
  compileTemplate,
  encodeAttributes,
  encodeReply,
  encodeTstInfo,
  type TokenTemplate,
} from './token.ts';

export interface TimestampAuthorityOptions {
  /** ECDSA or RSA. */
  readonly signer: Signer;
  /** The authority's own certificate first, root last, DER each. */
  readonly chain: readonly Bytes[];
  readonly sha256: Sha256;
  readonly random: Random;
  readonly clock: Clock;
  /** The one policy that timestamps are given under; sigstore's when left out. */
  readonly policy?: oid.Oid;
  /** Whole seconds by which genTime may be off, 1 to 127; 1 when left out, as genTime is cut to the second. */
  readonly accuracy?: number;
  /** A time known to be past, such as the log's last: nothing is dated before it, even after a restart. */
  readonly after?: Instant;
}

/** A TimeStampResp, DER, and the rejection that it carries, if it does. */
export interface TimestampReply {
  readonly der: Bytes;
  readonly rejection?: TimestampRejection;
}

export class TimestampAuthority {
  /** The authority's own certificate first, root last, DER each. */
  readonly chain: readonly Bytes[];
  readonly #options: TimestampAuthorityOptions;
  readonly #span: TimestampChain;
  readonly #template: TokenTemplate;
  /** Seconds since the epoch of the newest genTime. */
  #latest: number;

  /** Throws AuthorityError when key and chain cannot give timestamps that anyone verifies, RangeError for accuracy. */
  constructor(options: TimestampAuthorityOptions) {
    const { signer, policy = oid.sigstoreTimestampPolicy, accuracy = 1 } = options;
    if (!Number.isInteger(accuracy) || accuracy < 1 || accuracy > 127)
      throw new RangeError('accuracy is a whole number of seconds from 1 to 127');
    this.#span = readTimestampChain(options.chain, signer.publicKey);
    this.#template = compileTemplate(
      this.#span,
      { algorithm: signer.algorithm, policy, accuracy },
      options.sha256,
    );
    this.#options = options;
    this.#latest = options.after === undefined ? 0 : secondsOf(options.after);
    this.chain = options.chain;
  }

  /** Answers a TimeStampReq; whatever the bytes, the outcome is a reply. */
  async answer(request: Uint8Array): Promise<TimestampReply> {
    try {
      return { der: await this.timestamp(decodeQuery(request)) };
    } catch (rejection) {
      if (!(rejection instanceof TimestampRejection)) throw rejection;
      return { der: encodeRejection(rejection), rejection };
    }
  }

  /** A granted TimeStampResp, DER. Throws TimestampRejection. */
  async timestamp(query: TimestampQuery): Promise<Bytes> {
    const template = this.#template;
    if (query.policy !== undefined && !equal(query.policy, template.policy))
      throw new TimestampRejection('unacceptedPolicy', 'timestamps are not given under the policy asked for');
    const at = this.#now();
    const tstInfo = encodeTstInfo(template, query, this.#serial(), at);
    const attributes = encodeAttributes(template, await this.#digest(tstInfo), at);
    const signature = await this.#sign(attributes);
    return encodeReply(template, query, { tstInfo, attributes, signature });
  }

  /** Reads the clock, and refuses a time that was passed already or that the chain does not cover. */
  #now(): Instant {
    const now = this.#options.clock.now();
    if (secondsOf(now) < this.#latest)
      throw new TimestampRejection('timeNotAvailable', 'the clock has been set back');
    if (now < this.#span.notBefore || now > this.#span.notAfter)
      throw new TimestampRejection('timeNotAvailable', 'the authority is outside its period of validity');
    this.#latest = secondsOf(now);
    return now;
  }

  /** 158 random bits in 20 octets: the sign bit is clear and the next one set, so that all have one length. */
  #serial(): Bytes {
    const serial = this.#options.random(20);
    serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
    return serial;
  }

  async #digest(tstInfo: Bytes): Promise<Bytes> {
    const { digest } = this.#template;
    if (digest === 'SHA-256') return this.#options.sha256(tstInfo);
    return new Uint8Array(await crypto.subtle.digest(digest, tstInfo));
  }

  async #sign(attributes: Bytes): Promise<Bytes> {
    try {
      return await this.#options.signer.sign(attributes);
    } catch (cause) {
      throw new TimestampRejection('systemFailure', 'the timestamp key cannot be used now', { cause });
    }
  }
}
