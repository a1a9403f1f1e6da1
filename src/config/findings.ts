// Findings: the mistakes of one configuration file, gathered while it is read, each with its place.

import type * as z from 'zod';
import type { Mistake, Path } from './mistake.ts';
import { suggestion } from './nearest.ts';
import { locate, type Node, plain } from './node.ts';
import { isWithin, salvage } from './salvage.ts';

/** Of each severity: more than anybody reads at once, and a file can have one at each of its characters. */
const MOST = 200;

const NOTHING = { mistakes: [], unread: [] };

export class Findings {
  readonly #root: Node;
  readonly #mistakes: Mistake[];
  /** What was made up or left out for what the file has there. */
  readonly #unread: Path[];
  readonly #spell: (path: Path) => Path;

  /** `before` is what was found while the text was read; `spell` gives the file's names for keys that are not in it. */
  constructor(
    root: Node,
    before: { readonly mistakes: readonly Mistake[]; readonly unread: readonly Path[] } = NOTHING,
    spell: (path: Path) => Path = (path) => path,
  ) {
    this.#root = root;
    this.#mistakes = [...before.mistakes];
    this.#unread = [...before.unread];
    this.#spell = spell;
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
    const { place, path: spelled } = locate(this.#root, path, this.#spell(path));
    return `${spelled} on line ${place.line}`;
  }

  /**
   * The value that a schema makes of a node at `path`, with every reason why it does not. What is wrong in it is left out or
   * made up then, so that the rest can be looked at; undefined where that is not to be had.
   */
  read<T>(schema: z.ZodType<T>, node: Node, path: Path): T | undefined {
    return this.readData(schema, plain(node), path);
  }

  readData<T>(schema: z.ZodType<T>, data: unknown, path: Path): T | undefined {
    const { value, complaints, unread } = salvage(schema, data, explain);
    for (const { path: at, message, unknownKey } of complaints) {
      const hint = unknownKey === undefined ? '' : suggestion(unknownKey.key, unknownKey.known);
      this.error([...path, ...at], message + hint);
    }
    this.#unread.push(...unread.map((at) => [...path, ...at]));
    return value;
  }

  /** Whether the value at `path` is the file's own, all of it. What depends on it is to be told only then. */
  isSound(path: Path): boolean {
    return !this.#unread.some((one) => isWithin(one, path) || isWithin(path, one));
  }

  add(path: Path, message: string, severity: Mistake['severity']): void {
    if (this.#unread.some((one) => isWithin(path, one))) return; // the file does not say that
    const alike = severity === 'error' ? this.errors.length : this.warnings.length;
    if (alike > MOST) return;
    if (alike === MOST) {
      const more = `there are more ${severity === 'error' ? 'mistakes' : 'warnings'} than these`;
      this.#mistakes.push({ path: '', message: more, severity });
      return;
    }
    const { place, path: spelled } = locate(this.#root, path, this.#spell(path));
    this.#mistakes.push({ path: spelled, ...place, message, severity });
  }
}

/** zod's finding as words. For unknown keys the known ones, as only the schema knows them; `salvage` takes them apart. */
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
