// Document: a YAML or JSON text read into nodes (YAML 1.2, with what Go's reader takes beyond it).

import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  LineCounter,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { formatPath, type Mistake, type Path } from './mistake.ts';
import type { Member, Node, Place, ScalarNode } from './node.ts';
import { Tokens } from './tokens.ts';

export interface Document {
  readonly root: Node;
  /** Whether the text is JSON: Fulcio's names are spelled differently there. */
  readonly json: boolean;
  /** About single keys and values; all the others can be read. */
  readonly mistakes: readonly Mistake[];
  /** Where nothing stands for a value that one of them is about. */
  readonly unread: readonly Path[];
}

const LIMITS = {
  /** Characters in the file. */
  length: 2 << 20,
  /** Nodes that aliases repeat, so that nine nested aliases are not a billion nodes. */
  repeated: 50_000,
  /** Of one kind that are reported. */
  faults: 50,
} as const;

/** Every mistake of the text as a whole: syntax, limits. What is left may still have duplicate keys, or aliases that lead nowhere. */
export function readDocument(
  text: string,
): { readonly document: Document } | { readonly mistakes: Mistake[] } {
  if (text.length > LIMITS.length) return { mistakes: [fault(`is longer than ${LIMITS.length} characters`)] };
  const lines = new LineCounter();
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const tokens = new Tokens(text, lines);
  const [first, ...others] = new Composer({
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  }).compose(tokens.read(), true, text.length);
  if (first === undefined || tokens.stopped !== undefined) {
    const { message, offset } = tokens.stopped ?? { message: 'cannot be read', offset: 0 };
    return { mistakes: [fault(message, place(offset))] };
  }
  const faults = [...first.errors, ...first.warnings].slice(0, LIMITS.faults);
  const mistakes = faults.map((error) =>
    fault(`is not YAML: ${sentence(error.message)}`, place(error.pos[0])),
  );
  const second = others.find(
    ({ contents, errors }) =>
      errors.length > 0 || (isScalar(contents) ? contents.value !== null : contents !== null),
  );
  if (second !== undefined) {
    mistakes.push(fault('holds more than one YAML document; only one can be used', place(second.range[0])));
  }
  if (mistakes.length > 0) return { mistakes };
  const builder = new Builder(place);
  const root = builder.build(first.contents);
  if (builder.overflowed) return { mistakes: builder.mistakes };
  return { document: { root, json: isJson(text), mistakes: builder.mistakes, unread: builder.unread } };
}

/** From the library's nodes to ours; an alias becomes the very node it names. */
class Builder {
  readonly mistakes: Mistake[] = [];
  readonly unread: Path[] = [];
  readonly #place: (offset: number) => Place;
  readonly #anchors = new Map<string, Node | 'open'>();
  readonly #sizes = new Map<Node, number>();
  #repeated = 0;

  constructor(place: (offset: number) => Place) {
    this.#place = place;
  }

  /** Whether aliases repeat more than is read. */
  get overflowed(): boolean {
    return this.#repeated === Number.POSITIVE_INFINITY;
  }

  build(from: ParsedNode | null, path: Path = [], offset = 0): Node {
    if (from === null) return scalar(null, '', this.#place(offset));
    const place = this.#place(from.range[0]);
    if (isAlias(from)) return this.#alias(from.source, path, place);
    if (from.anchor !== undefined) this.#anchors.set(from.anchor, 'open');
    const node = isScalar(from)
      ? scalar(dataOf(from.value), textOf(from), place)
      : isMap(from)
        ? this.#map(from, path, place)
        : this.#list(from, path, place);
    if (from.anchor !== undefined) this.#anchors.set(from.anchor, node);
    return node;
  }

  #alias(name: string, path: Path, place: Place): Node {
    const target = this.#anchors.get(name);
    if (target !== undefined && target !== 'open') {
      this.#repeated += this.#sizes.get(target) ?? 1;
      if (this.#repeated <= LIMITS.repeated) return target;
      if (this.#repeated < Number.POSITIVE_INFINITY) {
        this.#add(path, place, `repeats too much: aliases may stand for ${LIMITS.repeated} values in all`);
      }
      this.#repeated = Number.POSITIVE_INFINITY;
    } else {
      const fault = target === 'open' ? 'contains itself' : `needs an anchor &${name} above it`;
      this.#add(path, place, `the alias *${name} ${fault}`);
      this.unread.push(path);
    }
    return scalar(null, '', place);
  }

  #list(from: YAMLSeq.Parsed, path: Path, place: Place): Node {
    const items = from.items.map((item, index) => this.build(item, [...path, index], from.range[0]));
    return this.#sized({ kind: 'list', place, items }, items);
  }

  #map(from: YAMLMap.Parsed, path: Path, place: Place): Node {
    const members = new Map<string, Member>();
    const merged: Node[] = [];
    for (const { key, value } of from.items) {
      const name = this.build(key, path, from.range[0]);
      const at = this.#place(key.range[0]); // an alias stands elsewhere than the text that it names
      if (name.kind !== 'scalar' || (name.value === null && name.text === '')) {
        this.#add(path, at, 'a key must be text');
        continue;
      }
      const here = [...path, name.text];
      const node = this.build(value, here, key.range[0]);
      const first = members.get(name.text);
      if (name.text === '<<') merged.push(node);
      else if (name.text === '__proto__') this.#add(here, at, 'is not a usable key');
      else if (first !== undefined) {
        this.#add(here, at, `the key is already on line ${first.place.line}; each key may stand once`);
      } else members.set(name.text, { spelled: name.text, place: at, value: node });
    }
    this.#merge(members, merged, path);
    return this.#sized(
      { kind: 'map', place, members },
      Array.from(members.values(), ({ value }) => value),
    );
  }

  /** `<<: *base` and `<<: [*a, *b]` as Go reads them: what stands in the map itself wins, then the earlier map. */
  #merge(members: Map<string, Member>, merged: readonly Node[], path: Path): void {
    for (const source of merged.flatMap((node) => (node.kind === 'list' ? node.items : [node]))) {
      if (source.kind !== 'map')
        this.#add(path, source.place, '<< takes an alias of a map, or a list of them');
      else for (const [name, member] of source.members) if (!members.has(name)) members.set(name, member);
    }
  }

  #sized(node: Node, children: readonly Node[]): Node {
    this.#sizes.set(
      node,
      children.reduce((sum, child) => sum + (this.#sizes.get(child) ?? 1), 1),
    );
    return node;
  }

  #add(path: Path, place: Place, message: string): void {
    if (this.mistakes.length < LIMITS.faults) this.mistakes.push(fault(message, place, formatPath(path)));
  }
}

const scalar = (value: ScalarNode['value'], text: string, place: Place): ScalarNode => ({
  kind: 'scalar',
  place,
  value,
  text,
});

function fault(message: string, place?: Place, path = ''): Mistake {
  return { path, ...place, message, severity: 'error' };
}

function dataOf(value: unknown): ScalarNode['value'] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return value === null || value === undefined ? null : String(value);
}

/** A plain scalar as it is written; a quoted or block one is its value. */
function textOf(from: Scalar): string {
  if (from.type === 'PLAIN' && from.source !== undefined) return from.source;
  return from.value === null ? '' : String(from.value);
}

/** The library's messages are sentences already, some with a final stop. */
function sentence(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/\.$/, '').slice(0, 200);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
