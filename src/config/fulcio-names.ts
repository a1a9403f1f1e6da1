// Fulcio's names: its three maps as its Go structs read them from YAML and from JSON, with the liberties that Go takes.

import { ATTRIBUTE_NAMES, IGNORED_ATTRIBUTE_NAMES } from '../identity/attribute.ts';
import { formatPath, type Mistake, type Path } from './mistake.ts';
import type { Member, Node, ScalarNode } from './node.ts';

interface Shape {
  /** Keys that Go gives a name of its own in JSON; undefined where keys are the operator's. */
  readonly names?: readonly string[];
  /** The shape of what stands under a key. */
  readonly below?: (key: string) => Shape | undefined;
  /** How Go reads a scalar that stands here. */
  readonly scalar?: (node: ScalarNode) => Node | undefined;
}

/** A key with nothing behind it, such as one whose entries are all commented out. */
const absent = (node: ScalarNode): Node | undefined => (node.value === null ? undefined : node);

/** Any scalar is text to Go, and none is empty text, which is as good as absent. */
const text: Shape = {
  scalar: (node) => (textOf(node) === '' ? undefined : { ...node, value: textOf(node) }),
};

const templateText: Shape = { scalar: (node) => ({ ...node, value: textOf(node) }) };

const YES: ReadonlySet<string> = new Set(['y', 'Y', 'yes', 'on']);
const NO: ReadonlySet<string> = new Set(['n', 'N', 'no', 'off']);

const truth: Shape = {
  scalar: (node) => {
    if (node.value === null) return undefined;
    return { ...node, value: YES.has(node.text) ? true : NO.has(node.text) ? false : node.value };
  },
};

const ISSUER_TEXTS = [
  'issuer-url',
  'client-id',
  'type',
  'ci-provider',
  'issuer-claim',
  'subject-domain',
  'spiffe-trust-domain',
  'challenge-claim',
  'description',
  'contact',
  'environment',
  'ca-cert',
] as const;

const EXTENSION_NAMES = [...ATTRIBUTE_NAMES.map(({ name }) => name), ...IGNORED_ATTRIBUTE_NAMES];

const issuers: Shape = {
  scalar: absent,
  below: () => ({
    names: [...ISSUER_TEXTS, 'skip-email-verification'],
    below: (key) =>
      key === 'skip-email-verification'
        ? truth
        : ISSUER_TEXTS.some((name) => name === key)
          ? text
          : undefined,
  }),
};

const metadata: Shape = {
  scalar: absent,
  below: () => ({
    names: ['default-template-values', 'extension-templates', 'subject-alternative-name-template'],
    below: (key) => {
      if (key === 'default-template-values') return { scalar: absent, below: () => templateText };
      if (key === 'extension-templates')
        return { scalar: absent, names: EXTENSION_NAMES, below: () => templateText };
      return text;
    },
  }),
};

const file: Shape = {
  names: ['oidc-issuers', 'meta-issuers', 'ci-issuer-metadata'],
  below: (key) => {
    if (key === 'oidc-issuers' || key === 'meta-issuers') return issuers;
    if (key === 'ci-issuer-metadata') return metadata;
    return key === 'issuers' ? { scalar: absent } : undefined;
  },
};

/** The tree as if the file had been written in YAML with every text in quotes, and the keys that JSON spells otherwise. */
export function inYamlNames(
  root: Node,
  json: boolean,
): { readonly root: Node; readonly mistakes: readonly Mistake[] } {
  const mistakes: Mistake[] = [];
  return { root: read(root, file, json, [], mistakes) ?? root, mistakes };
}

function read(
  node: Node,
  shape: Shape | undefined,
  json: boolean,
  path: Path,
  mistakes: Mistake[],
): Node | undefined {
  if (shape === undefined) return node;
  if (node.kind === 'scalar') return shape.scalar === undefined ? node : shape.scalar(node);
  if (node.kind === 'list') return node;
  const members = new Map<string, Member>();
  for (const [key, member] of node.members) {
    const name = json ? nameInYaml(key, shape.names ?? []) : key;
    const here = [...path, key];
    const value = read(member.value, shape.below?.(name ?? key), json, here, mistakes);
    const at = { path: formatPath(here), ...member.place, severity: 'error' } as const;
    const first = members.get(name ?? key);
    if (name === undefined) {
      mistakes.push({ ...at, message: `is spelled ${nameInJson(key)} in JSON` });
      if (first === undefined && value !== undefined) members.set(key, { ...member, value });
    } else if (first !== undefined)
      mistakes.push({ ...at, message: `means the same as ${first.spelled} on line ${first.place.line}` });
    else if (value !== undefined) members.set(name, { ...member, value });
  }
  return { ...node, members };
}

/** A path with Fulcio's keys as JSON spells them. */
export function inJsonNames(path: Path): Path {
  let shape: Shape | undefined = file;
  return path.map((part) => {
    const key = String(part);
    const spelled = shape?.names?.includes(key) === true ? nameInJson(key) : part;
    shape = shape?.below?.(key);
    return spelled;
  });
}

/** Go reads JSON keys without regard to case; undefined for a name of YAML that it would silently skip. */
function nameInYaml(key: string, names: readonly string[]): string | undefined {
  const plain = key.toLowerCase();
  const name = names.find((known) => known.replaceAll('-', '') === plain);
  if (name !== undefined) return name;
  return names.includes(key) ? undefined : key;
}

const INITIALISMS: ReadonlySet<string> = new Set(['ca', 'ci', 'id', 'oidc', 'sha', 'spiffe', 'uri', 'url']);

function nameInJson(name: string): string {
  return name
    .split('-')
    .map((word) =>
      INITIALISMS.has(word) ? word.toUpperCase() : word.charAt(0).toUpperCase() + word.slice(1),
    )
    .join('');
}

function textOf(node: ScalarNode): string {
  return node.value === null ? '' : typeof node.value === 'string' ? node.value : node.text;
}
