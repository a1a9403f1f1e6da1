// Trust material: the certificates and keys that an issuer's entry brings along, in the file or beside it.

import type { InlineKeySet } from '../token/issuer.ts';
import { holdsCertificates } from './certificates.ts';
import type { Findings } from './findings.ts';
import { jwks, type TrustFields } from './issuer-schema.ts';
import type { Path } from './mistake.ts';

export interface Reader {
  readonly findings: Findings;
  /** Throws where there is no such file. */
  readonly readFile: (path: string) => string;
}

/** PEM text itself, or that of `{ file }`; undefined where it cannot be read. */
export function readPem(
  given: string | { readonly file: string },
  at: Path,
  reader: Reader,
): string | undefined {
  return typeof given === 'string' ? given : readFile(given.file, [...at, 'file'], reader);
}

/** `issuer` as in Fulcio's message: `issuer URL` or `meta issuer URL`. */
export function readCaCert(
  given: NonNullable<TrustFields['ca-cert']>,
  issuer: string,
  at: Path,
  reader: Reader,
): string | undefined {
  const pem = readPem(given, at, reader);
  if (pem !== undefined && !holdsCertificates(pem)) {
    reader.findings.error(
      at,
      `failed to parse CA certificate for ${issuer}: takes one or more certificates in PEM`,
    );
  }
  return pem;
}

export function readKeySet(
  given: NonNullable<TrustFields['jwks']>,
  at: Path,
  reader: Reader,
): InlineKeySet | undefined {
  if ('keys' in given) return checkPublic(given, at, reader);
  const here = [...at, 'file'];
  const text = readFile(given.file, here, reader);
  if (text === undefined) return undefined;
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    reader.findings.error(here, 'takes a file that holds JSON');
    return undefined;
  }
  const keySet = reader.findings.readData(jwks, data, here);
  return keySet && checkPublic(keySet, here, reader);
}

function checkPublic(keySet: InlineKeySet, at: Path, { findings }: Reader): InlineKeySet {
  for (const [index, key] of keySet.keys.entries()) {
    if ('d' in key) findings.error([...at, 'keys', index], 'takes the public part of a key only');
  }
  return keySet;
}

export function readFile(path: string, at: Path, { findings, readFile: read }: Reader): string | undefined {
  try {
    return read(path);
  } catch (cause) {
    findings.error(at, `the file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    return undefined;
  }
}

/** A member that is there only with a value, as exactOptionalPropertyTypes wants it. */
export function defined<K extends string, V>(key: K, value: V | undefined): { readonly [k in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [k in K]?: V }); // a computed key widens to string
}
