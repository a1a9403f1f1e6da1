// Query: what a requester asks to be timestamped, read from a TimeStampReq (RFC 3161 section 2.4.1).

import * as der from '../encoding/der.ts';
import { checkImprint } from './imprint.ts';
import { TimestampRejection } from './rejection.ts';

/** The parts that the token repeats are kept as the DER they came in. */
export interface TimestampQuery {
  /** MessageImprint. */
  readonly imprint: Uint8Array;
  /** The TSAPolicyId asked for, as OBJECT IDENTIFIER. */
  readonly policy?: Uint8Array;
  /** INTEGER of any size and sign. */
  readonly nonce?: Uint8Array;
  /** Whether the reply shall carry the authority's certificate. */
  readonly certificates: boolean;
}

/** Throws TimestampRejection, and nothing else, for any bytes. */
export function decodeQuery(request: Uint8Array): TimestampQuery {
  try {
    return readQuery(der.readOnly(request, der.TAG.sequence));
  } catch (error) {
    if (!(error instanceof der.DerError)) throw error;
    throw new TimestampRejection('badDataFormat', `TimeStampReq is not DER: ${error.message}`);
  }
}

function readQuery(request: der.Element): TimestampQuery {
  const fields = der.readAll(request.content);
  const take = (tag: number): der.Element | undefined =>
    fields[0]?.tag === tag ? fields.shift() : undefined;

  const version = take(der.TAG.integer);
  if (version === undefined) throw malformed('version is missing');
  if (version.content.length !== 1 || version.content[0] !== 1)
    throw new TimestampRejection('badRequest', 'version must be 1');
  const imprint = take(der.TAG.sequence);
  if (imprint === undefined) throw malformed('messageImprint is missing');
  checkImprint(imprint);

  const policy = take(der.TAG.oid);
  const nonce = take(der.TAG.integer);
  if (nonce !== undefined && !isMinimal(nonce.content)) throw malformed('nonce is not a minimal INTEGER');
  const certReq = take(der.TAG.boolean);
  const extensions = take(der.contextTag(0));
  if (fields.length > 0) throw malformed('a field stands where none belongs');
  // Critical or not, what the authority does not know it must refuse (RFC 3161 section 2.4.1).
  if (extensions !== undefined)
    throw new TimestampRejection('unacceptedExtension', 'no extension is supported');

  return {
    imprint: imprint.raw,
    ...(policy === undefined ? {} : { policy: policy.raw }),
    ...(nonce === undefined ? {} : { nonce: nonce.raw }),
    certificates: certReq !== undefined && isTrue(certReq.content),
  };
}

/** An explicit FALSE is no DER, being the default, yet some encoders write it. */
function isTrue(content: Uint8Array): boolean {
  const [value] = content;
  if (content.length !== 1 || (value !== 0x00 && value !== 0xff)) throw malformed('certReq is not a BOOLEAN');
  return value === 0xff;
}

/** X.690 section 8.3.2: the first nine bits are neither all zero nor all one. */
function isMinimal(content: Uint8Array): boolean {
  const [first, second] = content;
  if (first === undefined) return false;
  if (second === undefined) return true;
  return !(first === 0x00 && second < 0x80) && !(first === 0xff && second >= 0x80);
}

function malformed(message: string): TimestampRejection {
  return new TimestampRejection('badDataFormat', message);
}
