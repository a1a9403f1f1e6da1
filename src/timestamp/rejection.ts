// Rejection: why no timestamp is given, as PKIFailureInfo and as the reply that carries it (RFC 3161 section 2.4.2).

import { type Bytes, concat } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';

/** Bit numbers in PKIFailureInfo. */
const BIT = {
  badAlg: 0,
  badRequest: 2,
  badDataFormat: 5,
  timeNotAvailable: 14,
  unacceptedPolicy: 15,
  unacceptedExtension: 16,
  systemFailure: 25,
} as const;

export type FailureInfo = keyof typeof BIT;

/** A refusal; its message is one sentence for the requester and names nothing of the inside. */
export class TimestampRejection extends Error {
  override readonly name = 'TimestampRejection';
  readonly failure: FailureInfo;

  constructor(failure: FailureInfo, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }

  /** True where the request was in order and a retry may succeed. */
  get temporary(): boolean {
    return this.failure === 'timeNotAvailable' || this.failure === 'systemFailure';
  }
}

/** TimeStampResp with status rejection(2), statusString and failInfo, and no token. */
export function encodeRejection(rejection: TimestampRejection): Bytes {
  return der.sequence(
    der.sequence(
      der.unsignedInteger(Uint8Array.of(2)),
      der.sequence(der.utf8String(rejection.message)),
      failInfo(BIT[rejection.failure]),
    ),
  );
}

/** A BIT STRING with one bit set and no trailing zero bits, as DER wants named bits (X.690 section 11.2.2). */
function failInfo(bit: number): Bytes {
  const bytes = new Uint8Array((bit >> 3) + 1);
  bytes[bit >> 3] = 0x80 >> (bit & 7);
  return der.element(der.TAG.bitString, concat(Uint8Array.of(7 - (bit & 7)), bytes));
}
