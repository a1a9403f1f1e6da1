// JSON query: a timestamp query as sigstore-js sends it (openapi.yaml of sigstore/timestamp-authority).

import { type Bytes, fromBase64, fromHex } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import { Problem } from '../problem.ts';
import { encodeImprint } from './imprint.ts';
import type { TimestampQuery } from './query.ts';
import { TimestampRejection } from './rejection.ts';

type Member = string | number | bigint | boolean | object | null | undefined;

/**
 * `{ artifactHash: base64, hashAlgorithm: "sha256", certificates?: boolean, nonce?: integer, tsaPolicyOID?: string }`.
 * Throws Problem `request_malformed` for the shape, TimestampRejection for what it asks.
 */
export function parseJsonQuery(text: string): TimestampQuery {
  const members = parseObject(text);
  const artifactHash = members.get('artifactHash');
  const digest = typeof artifactHash === 'string' ? fromBase64(artifactHash) : undefined;
  if (digest === undefined) throw malformed('artifactHash', 'The digest of the artifact, in base64.');
  const hashAlgorithm = members.get('hashAlgorithm');
  if (typeof hashAlgorithm !== 'string') throw malformed('hashAlgorithm', 'sha256, sha384 or sha512.');
  const certificates = members.get('certificates') ?? false;
  if (typeof certificates !== 'boolean') throw malformed('certificates', 'true, false, or nothing.');

  const nonce = members.get('nonce') ?? undefined;
  if (nonce !== undefined && typeof nonce !== 'bigint') throw malformed('nonce', 'A whole decimal number.');
  const policy = members.get('tsaPolicyOID') || undefined;
  if (policy !== undefined && typeof policy !== 'string')
    throw malformed('tsaPolicyOID', 'An object identifier in dotted form.');

  return {
    imprint: encodeImprint(hashAlgorithm, digest),
    ...(policy === undefined ? {} : { policy: encodePolicy(policy) }),
    ...(nonce === undefined ? {} : { nonce: encodeInteger(nonce) }),
    certificates,
  };
}

/** Own members of the outer object; a whole number comes as a bigint, since a nonce has 64 bits and more. */
function parseObject(text: string): ReadonlyMap<string, Member> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text, exactInteger);
  } catch {
    throw malformed(undefined, 'One JSON object.');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw malformed(undefined, 'One JSON object.');
  return new Map(Object.entries(parsed));
}

/** The third argument is ECMAScript 2026, which TypeScript's library does not list yet. */
function exactInteger(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && source !== undefined && /^-?[0-9]+$/.test(source)
    ? BigInt(source)
    : value;
}

const OID = /^([01]\.[1-3]?[0-9]|2\.(0|[1-9][0-9]{0,8}))(\.(0|[1-9][0-9]{0,9})){0,126}$/;

/** A policy that cannot be written as an OBJECT IDENTIFIER cannot be ours. */
function encodePolicy(dotted: string): Bytes {
  if (!OID.test(dotted))
    throw new TimestampRejection('unacceptedPolicy', 'tsaPolicyOID is not an object identifier');
  return der.objectIdentifier(dotted);
}

/** INTEGER in two's complement, in the fewest octets (X.690 section 8.3). */
function encodeInteger(value: bigint): Bytes {
  const magnitude = value < 0n ? ~value : value;
  const size = magnitude === 0n ? 1 : Math.floor(magnitude.toString(2).length / 8) + 1;
  const digits = BigInt.asUintN(8 * size, value).toString(16);
  return der.element(der.TAG.integer, fromHex(digits.padStart(2 * size, '0')));
}

function malformed(field: string | undefined, hint: string): Problem {
  return new Problem('request_malformed', {
    message: field === undefined ? 'The timestamp query is not a JSON object' : `${field} is not as expected`,
    hint,
    ...(field === undefined ? {} : { field }),
  });
}
