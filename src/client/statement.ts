// Statement: what an attestation says about an artifact (in-toto Statement v1), and the predicate types with names.

import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { SignatureFlaw } from './client-error.ts';

export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';

/** Both say where an artifact comes from, so that one of them answers "who stands behind this?". */
export const PREDICATE_TYPES = {
  'slsa-provenance': 'https://slsa.dev/provenance/v1',
  'pypi-publish': 'https://docs.pypi.org/attestations/publish/v1',
} as const satisfies Record<string, string>;

export type PredicateName = keyof typeof PREDICATE_TYPES;

export interface Statement {
  readonly _type: string;
  readonly subject: readonly Subject[];
  readonly predicateType: string;
  readonly predicate?: unknown;
}

export interface Subject {
  readonly name?: string | undefined;
  readonly digest: Readonly<Record<string, string>>;
}

const statementSchema = z.looseObject({
  _type: z.literal([STATEMENT_TYPE, 'https://in-toto.io/Statement/v0.1']),
  subject: z
    .array(z.looseObject({ name: z.string().optional(), digest: z.record(z.string(), z.string()) }))
    .min(1),
  predicateType: z.string().min(1),
  predicate: z.unknown().optional(),
});

/** A short name, or a URI that stands for itself; undefined for anything else. */
export function predicateTypeOf(text: string): string | undefined {
  if (Object.hasOwn(PREDICATE_TYPES, text)) return PREDICATE_TYPES[text as PredicateName];
  return /^[a-z][a-z\d+.-]*:\S+$/i.test(text) ? text : undefined;
}

/** The short name where there is one. */
export function predicateName(type: string): PredicateName | undefined {
  return (Object.keys(PREDICATE_TYPES) as PredicateName[]).find((name) => PREDICATE_TYPES[name] === type);
}

export function statementAbout(
  artifact: { readonly name: string; readonly data: Uint8Array },
  predicateType: string,
  predicate: unknown,
): Statement {
  const digest = { sha256: createHash('sha256').update(artifact.data).digest('hex') };
  return { _type: STATEMENT_TYPE, subject: [{ name: artifact.name, digest }], predicateType, predicate };
}

/** Throws SignatureFlaw `statement_malformed`. */
export function readStatement(payload: Uint8Array): Statement {
  try {
    return statementSchema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)));
  } catch (cause) {
    throw new SignatureFlaw('statement_malformed', 'what was signed is no in-toto statement', cause);
  }
}

/** Whether a subject is the artifact: every digest that it gives in a known algorithm is the artifact's, and one is there. */
export function isAbout({ subject }: Statement, artifact: Uint8Array): boolean {
  return subject.some(({ digest }) => {
    const known = ALGORITHMS.filter((algorithm) => Object.hasOwn(digest, algorithm));
    return (
      known.length > 0 &&
      known.every((algorithm) => {
        const wanted = Buffer.from(digest[algorithm] ?? '', 'hex');
        const found = createHash(algorithm).update(artifact).digest();
        return wanted.length === found.length && timingSafeEqual(wanted, found);
      })
    );
  });
}

const ALGORITHMS = ['sha256', 'sha384', 'sha512'] as const;
