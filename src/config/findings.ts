// Findings: the mistakes of one configuration file, gathered while it is read, each with its place.

import type * as z from 'zod';
import type { Mistake, Path } from './mistake.ts';
import { suggestion } from './nearest.ts';
import { locate, type Node, plain } from './node.ts';

/** Of each severity: more than anybody reads at once, and a file can have one at each of its characters. */
const MOST = 200;

export class Findings {
  readonly #root: Node;
  readonly #mistakes: Mistake[];

  constructor(root: Node, mistakes: readonly Mistake[] = []) {
    this.#root = root;
    this.#mistakes = [...mistakes];
  }

  error(path: Path, message: string): void {
    this.add(path, message, 'error');
  }

  warn(path: Path, message: string): void {
    this.add(path, message, 'warning');
  }

  get all(): readonly Mistake[] {
    return this.#mistakes;
  }

  get errors(): readonly Mistake[] {
    return this.#mistakes.filter(({ severity }) => severity === 'error');
  }

  get warnings(): readonly Mistake[] {
    return this.#mistakes.filter(({ severity }) => severity === 'warning');
  }

  /** For a message about another place: `issuers[0] on line 3`. */
  where(path: Path): string {
    const { place, path: spelled } = locate(this.#root, path);
    return `${spelled} on line ${place.line}`;
  }

  /** The value that a schema makes of a node at `path`, or undefined with every reason why it does not. */
  read<T>(schema: z.ZodType<T>, node: Node, path: Path): T | undefined {
    return this.readData(schema, plain(node), path);
  }

  readData<T>(schema: z.ZodType<T>, data: unknown, path: Path): T | undefined {
    const result = schema.safeParse(data, { error: explain });
    if (result.success) return result.data;
    this.#addAll(result.error.issues, path);
    return undefined;
  }

  #addAll(issues: readonly z.core.$ZodIssue[], path: Path): void {
    for (const issue of issues) {
      const at = [...path, ...issue.path.map((part) => (typeof part === 'symbol' ? part.toString() : part))];
      if (issue.code === 'unrecognized_keys') {
        const known = issue.message.split(' ');
        for (const key of issue.keys) this.error([...at, key], `is not a known key${suggestion(key, known)}`);
      } else if (issue.code === 'invalid_union') {
        // The branch of the right shape says best what is wrong; where there is none, the union does.
        const branches = issue.errors.filter((errors) => !errors.some(isOfWrongShape));
        const branch = branches.find((errors) => !errors.some(isOfOtherKeys)) ?? branches[0];
        if (branch === undefined) this.error(at, issue.message);
        else this.#addAll(branch, at);
      } else if (issue.code === 'invalid_key') {
        this.error(at, issue.issues.map(({ message }) => `the key ${message}`).join('; '));
      } else {
        this.error(at, issue.message);
      }
    }
  }

  add(path: Path, message: string, severity: Mistake['severity']): void {
    const alike = severity === 'error' ? this.errors.length : this.warnings.length;
    if (alike > MOST) return;
    if (alike === MOST) {
      const more = `there are more ${severity === 'error' ? 'mistakes' : 'warnings'} than these`;
      this.#mistakes.push({ path: '', message: more, severity });
      return;
    }
    const { place, path: spelled } = locate(this.#root, path);
    this.#mistakes.push({ path: spelled, ...place, message, severity });
  }
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

/** zod's finding as words. For unknown keys the known ones, as only the schema knows them; `#addAll` makes the sentence. */
function explain(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'unrecognized_keys':
      return knownKeys(issue.inst).join(' ');
    case 'invalid_type':
      return issue.input === undefined
        ? `is missing; it takes ${NAMES[issue.expected] ?? issue.expected}`
        : `takes ${NAMES[issue.expected] ?? issue.expected}, not ${nameOf(issue.input)}`;
    case 'invalid_value': {
      const values = issue.values.map(String);
      const word = typeof issue.input === 'string' ? suggestion(issue.input, values) : '';
      return `takes ${values.length > 1 ? 'one of ' : ''}${values.join(', ')}${word}`;
    }
    case 'too_big':
      return `takes at most ${issue.maximum}`;
    case 'too_small':
      return `takes at least ${issue.minimum}`;
    default:
      return undefined;
  }
}

function knownKeys(schema: unknown): readonly string[] {
  const def = (schema as { readonly _zod?: { readonly def?: { readonly shape?: object } } } | undefined)?._zod
    ?.def;
  return Object.keys(def?.shape ?? {});
}

const NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

function nameOf(data: unknown): string {
  if (data === null) return 'nothing';
  if (Array.isArray(data)) return 'a list';
  return NAMES[typeof data] ?? typeof data;
}
