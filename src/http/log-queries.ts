// Log queries: what RFC 6962 sections 4.3 to 4.8 ask of a log, answered from tiles.

import { type Bytes, base64, concat, fromBase64 } from '../encoding/bytes.ts';
import { vector } from '../encoding/tls.ts';
import { merkleTreeLeaf, type TileLeaf } from '../log/entry.ts';
import { LogDamage } from '../log/journal.ts';
import { HASH_SIZE } from '../log/merkle.ts';
import type { Reader } from '../log/reader.ts';
import { Problem } from '../problem.ts';

/** A query parameter by name, percent-decoded. */
export type Parameter = (name: string) => string | undefined;

/** Answers with the object to be sent as JSON. Throws Problem `request_malformed` or `not_found`. */
export type Query = (reader: Reader, parameter: Parameter) => Promise<object>;

export const getSth: Query = async (reader) => {
  const { size, timestamp, root, signature } = reader.publication.treeHead;
  return {
    tree_size: size,
    timestamp,
    sha256_root_hash: base64(root),
    tree_head_signature: base64(signature),
  };
};

export const getSthConsistency: Query = async (reader, parameter) => {
  const { size } = reader;
  const second = whole(parameter, 'second', 1, size);
  const first = whole(parameter, 'first', 1, second);
  return { consistency: (await reader.consistency(first, second)).map(base64) };
};

export const getProofByHash: Query = async (reader, parameter) => {
  const size = whole(parameter, 'tree_size', 1, reader.size);
  // A plus sign that was not percent-encoded arrives as a space.
  const hash = fromBase64(parameter('hash')?.replaceAll(' ', '+') ?? '');
  if (hash?.length !== HASH_SIZE) throw malformed('hash', 'The base64 of a leaf hash of 32 bytes.');
  const index = await reader.find(hash, size);
  if (index === undefined)
    throw new Problem('not_found', { message: `no entry with that leaf hash in the tree of ${size}` });
  return { leaf_index: index, audit_path: (await reader.inclusion(index, size)).map(base64) };
};

export const getEntries: Query = async (reader, parameter) => {
  const start = whole(parameter, 'start', 0, reader.size - 1);
  const end = whole(parameter, 'end', start, Number.MAX_SAFE_INTEGER);
  // Fewer entries than asked for are lawful (section 4.6); a data tile is what one reads at a time.
  const entries = await reader.entries(start, Math.min(end + 1, reader.size));
  return { entries: await Promise.all(entries.map((entry) => logEntry(reader, entry))) };
};

export const getEntryAndProof: Query = async (reader, parameter) => {
  const size = whole(parameter, 'tree_size', 1, reader.size);
  const index = whole(parameter, 'leaf_index', 0, size - 1);
  const [entry] = await reader.entries(index, index + 1);
  if (entry === undefined) throw new LogDamage(`entry ${index} is missing from its tile`);
  const audit_path = (await reader.inclusion(index, size)).map(base64);
  return { ...(await logEntry(reader, entry)), audit_path };
};

/** `leaf_input` and `extra_data`, the latter a PrecertChainEntry (section 4.6). */
async function logEntry(reader: Reader, entry: TileLeaf): Promise<object> {
  const chain: Bytes[] = [];
  for (const fingerprint of entry.chain) {
    const certificate = await reader.issuer(fingerprint);
    if (certificate === undefined) throw new LogDamage(`an issuer of entry ${entry.index} is missing`);
    chain.push(vector(certificate, 3));
  }
  const extra = concat(vector(entry.precertificate, 3), vector(concat(...chain), 3));
  return { leaf_input: base64(merkleTreeLeaf(entry)), extra_data: base64(extra) };
}

/** A whole number in plain decimal within bounds, both inclusive. */
function whole(parameter: Parameter, name: string, least: number, most: number): number {
  const text = parameter(name) ?? '';
  const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw malformed(
    name,
    most < least
      ? 'The log has no entries yet.'
      : `A whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}.`,
  );
}

function malformed(field: string, hint: string): Problem {
  return new Problem('request_malformed', { field, hint, message: `invalid parameter "${field}"` });
}
