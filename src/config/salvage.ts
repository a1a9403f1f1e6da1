// Salvage: what a schema makes of data in which some values are wrong, so that one mistake hides no other.

import type * as z from 'zod';
import type { Path } from './mistake.ts';

/** One thing that the schema has to say, at the value that it is about. */
export interface Complaint {
  readonly path: Path;
  readonly message: string;
  /** For a key that is not known: those that are. */
  readonly unknownKey?: { readonly key: string; readonly known: readonly string[] };
  /** One of the values that would be accepted, where there is a list of them. */
  readonly accepted?: unknown;
}

export interface Salvaged<T> {
  /** Undefined where too little is right. */
  readonly value: T | undefined;
  /** None where all is right. */
  readonly complaints: readonly Complaint[];
  /** Values that were left out or made up: what is said of them or of what is in them means nothing. */
  readonly unread: readonly Path[];
}

/** What a value may be made up as, so that the others beside it can be read. */
const STANDS_IN: readonly unknown[] = [
  'https://placeholder.invalid',
  'placeholder',
  'placeholder+00000000+AA==', // a verifier key
  1,
  0,
  false,
  [],
  ['placeholder'],
  {},
];
/** A file that is wrong at more places than that is read as far as it was. */
const ROUNDS = 40;

export function salvage<T>(schema: z.ZodType<T>, data: unknown, words: z.core.$ZodErrorMap): Salvaged<T> {
  const first = schema.safeParse(data, { error: words });
  if (first.success) return { value: first.data, complaints: [], unread: [] };
  const complaints = complaintsOf(first.error.issues);
  const patient = new Patient(data);
  let last: readonly Complaint[] = complaints;
  for (let round = 0; round < ROUNDS && patient.mend(last); round++) {
    const again = schema.safeParse(patient.data, { error: words });
    if (again.success) return { value: again.data, complaints, unread: patient.unread };
    last = complaintsOf(again.error.issues);
    // Of a rule about several values, which the schema tries only once each of them is right.
    complaints.push(...last.filter(({ path }) => !patient.touches(path)));
  }
  return { value: undefined, complaints, unread: patient.unread };
}

/** Data of which wrong values are left out or, where something has to be there, made up. */
class Patient {
  data: unknown;
  readonly #steps = new Map<string, number>();
  readonly #unread = new Map<string, { readonly path: Path; readonly leftOut: boolean }>();

  constructor(data: unknown) {
    this.data = copied(data);
  }

  get unread(): readonly Path[] {
    return [...this.#unread.values()].map(({ path }) => path);
  }

  /** Whether what stands at `path` is not the file's own: it or what it is in was changed, or something in it left out. */
  touches(path: Path): boolean {
    return [...this.#unread.values()].some(
      (one) => isWithin(path, one.path) || (one.leftOut && isWithin(one.path, path)),
    );
  }

  /** False where nothing is left to be changed. */
  mend(complaints: readonly Complaint[]): boolean {
    const byPath = new Map(complaints.map((one) => [JSON.stringify(one.path), one]));
    return [...byPath.values()].every(({ path, accepted }) => this.#change(path, accepted));
  }

  #change(path: Path, accepted?: unknown): boolean {
    const name = path.at(-1);
    if (name === undefined) return false;
    const within = path.slice(0, -1);
    const parent = within.reduce<unknown>(memberOf, this.data);
    if (typeof parent !== 'object' || parent === null) return true; // gone with what it was in
    const key = JSON.stringify(path);
    const step = this.#steps.get(key) ?? (Array.isArray(parent) || !Object.hasOwn(parent, name) ? 1 : 0);
    if (step > STANDS_IN.length) return this.#change(within);
    this.#steps.set(key, step + 1);
    this.#unread.set(key, { path, leftOut: step === 0 });
    if (step === 0) Reflect.deleteProperty(parent, name);
    else Reflect.set(parent, name, accepted ?? copied(STANDS_IN[step - 1]));
    return true;
  }
}

/** Whether `path` leads to the value at `above`, or into it. */
export function isWithin(path: Path, above: Path): boolean {
  return path.length >= above.length && above.every((part, i) => String(path[i]) === String(part));
}

function memberOf(parent: unknown, name: string | number): unknown {
  return typeof parent === 'object' && parent !== null ? Reflect.get(parent, name) : undefined;
}

function copied(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(copied);
  if (typeof data !== 'object' || data === null) return data;
  return Object.assign(
    Object.create(null),
    Object.fromEntries(Object.entries(data).map(([name, value]) => [name, copied(value)])),
  );
}

function complaintsOf(issues: readonly z.core.$ZodIssue[], above: Path = []): Complaint[] {
  return issues.flatMap((issue): Complaint[] => {
    const path = [...above, ...issue.path.map((part) => (typeof part === 'symbol' ? part.toString() : part))];
    if (issue.code === 'unrecognized_keys') {
      const known = issue.message.split(' ');
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: 'is not a known key',
        unknownKey: { key, known },
      }));
    }
    if (issue.code === 'invalid_union') {
      // The branch of the right shape says best what is wrong; where there is none, the union does.
      const branches = issue.errors.filter((errors) => !errors.some(isOfWrongShape));
      const branch = branches.find((errors) => !errors.some(isOfOtherKeys)) ?? branches[0];
      return branch === undefined ? [{ path, message: issue.message }] : complaintsOf(branch, path);
    }
    if (issue.code === 'invalid_key')
      return [{ path, message: issue.issues.map(({ message }) => `the key ${message}`).join('; ') }];
    const accepted = issue.code === 'invalid_value' ? { accepted: issue.values[0] } : {};
    return [{ path, message: issue.message, ...accepted }];
  });
}

const WRONG_SHAPE: ReadonlySet<string> = new Set([
  'invalid_type',
  'invalid_value',
  'invalid_format',
  'invalid_union',
]);

/** About the value itself rather than something in it. */
function isOfWrongShape({ path, code }: z.core.$ZodIssue): boolean {
  return path.length === 0 && WRONG_SHAPE.has(code);
}

function isOfOtherKeys({ path, code }: z.core.$ZodIssue): boolean {
  return path.length === 0 && code === 'unrecognized_keys';
}
