// Log access: a log at a URL, and how its key came to be known.

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type Bytes, equal, fromBase64, fromUtf8 } from '../encoding/bytes.ts';
import { parsePublicKey } from '../key/public-key.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { type GetObject, type KnownLog, LogClient, readLogDocument } from '../log/log-client.ts';
import { parseNote } from '../log/note.ts';
import { sha256 } from '../node/system/native-digest.ts';
import { nativeVerifier } from '../node/system/native-verifier.ts';
import { Problem } from '../problem.ts';
import { fetchObjects } from '../web/fetch-objects.ts';

export interface AccessFlags {
  key?: string;
  origin?: string;
}

/** How a log is to be known: by flags, or from an earlier run. */
export interface Pins {
  /** File. */
  readonly key?: string | undefined;
  readonly origin?: string | undefined;
  /** DER; without a file. */
  readonly publicKey?: Bytes | undefined;
}

/** Holds a log to what it was when it was seen first, where flags do not say otherwise. */
export function pinTo({ key, origin }: AccessFlags, seen: KnownLog | undefined): Pins {
  if (key !== undefined) return { key, origin: origin ?? seen?.origin };
  return { origin: origin ?? seen?.origin, publicKey: seen?.publicKey };
}

export interface LogAccess {
  readonly client: LogClient;
  readonly known: KnownLog;
  /** Monitoring prefix, with a trailing slash. */
  readonly prefix: string;
  readonly get: GetObject;
  /** Whether the key was given rather than taken from the log itself. */
  readonly pinned: boolean;
}

export function addAccessFlags(command: Command): Command {
  return command
    .option('--key <file>', 'PEM public key of the log (default: what the log says that it is)')
    .option('--origin <name>', 'name of the log on its checkpoints (default: what the log says that it is)');
}

/** `url` is that of a Mayfly or of the log itself. Throws an Error with a sentence. */
export async function accessLog(url: string, pins: Pins): Promise<LogAccess> {
  if (!/^https?:\/\/[^/]/.test(url)) throw new Error(`${url} is not an http(s) URL`);
  const base = url.replace(/\/+$/, '');
  const found = (await mayflyAt(base)) ?? (await logAt(base, pins));
  const given = pins.key === undefined ? pins.publicKey : readKey(pins.key);
  const publicKey = given ?? found.publicKey;
  if (publicKey === undefined)
    throw new Error(`${base} does not tell the key of its log: give it with --key`);
  if (given !== undefined && found.publicKey !== undefined && !equal(given, found.publicKey))
    throw new Error(`${base} says that its log has another key than ${pins.key ?? 'it had before'}`);
  const known = { origin: pins.origin ?? found.origin, publicKey };
  const get = fetchObjects(found.prefix);
  return { client: clientOf(known, get), known, prefix: found.prefix, get, pinned: given !== undefined };
}

interface Found {
  readonly origin: string;
  readonly publicKey: Bytes | undefined;
  readonly prefix: string;
}

/** By the document of a Mayfly at that URL, or at its host where the log is what the URL names. */
async function mayflyAt(base: string): Promise<Found | undefined> {
  const { origin: host } = new URL(base);
  for (const place of new Set([base, host])) {
    const bytes = await fetchObjects(`${place}/`)('.well-known/mayfly/log.json');
    const document = bytes && readLogDocument(textOf(bytes));
    if (document === undefined) continue;
    const { monitoringUrl: prefix } = document;
    if (place === base || prefix.replace(/\/+$/, '') === base) return { ...document, prefix };
  }
  return undefined;
}

/** A static-ct log at that URL; its name is on its checkpoint. */
async function logAt(base: string, { origin }: Pins): Promise<Found> {
  const prefix = `${base}/`;
  const get = fetchObjects(prefix);
  const checkpoint = await get('checkpoint');
  const text = checkpoint && parseNote(checkpoint)?.text;
  const name = origin ?? (text === undefined ? undefined : parseCheckpoint(text)?.origin);
  if (name === undefined) throw new Error(`there is no log at ${base}: ${prefix}checkpoint is not one`);
  const listed = await get('log.v3.json');
  return { origin: name, publicKey: listed && keyIn(textOf(listed)), prefix };
}

function keyIn(text: string): Bytes | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const key = typeof value === 'object' && value !== null && 'key' in value ? value.key : undefined;
    return typeof key === 'string' ? fromBase64(key) : undefined;
  } catch {
    return undefined;
  }
}

function clientOf(log: KnownLog, get: GetObject): LogClient {
  try {
    return new LogClient({ log, get, sha256, verifier: nativeVerifier });
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    throw new Error(`the key of the log ${log.origin} cannot be read`, { cause });
  }
}

/** DER of a public key in PEM. */
export function readKey(file: string): Bytes {
  try {
    return parsePublicKey(readFileSync(file, 'utf8')).spki;
  } catch (cause) {
    throw new Error(`${file} holds no public key in PEM`, { cause });
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch {
    return '';
  }
}
