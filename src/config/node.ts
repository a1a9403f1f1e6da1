// Node: one value of a configuration file together with its place in the text, so that a mistake can name its line.

import { formatPath, type Path } from './mistake.ts';

export interface Place {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

export interface Member {
  /** The key as the file spells it. */
  readonly spelled: string;
  readonly place: Place;
  readonly value: Node;
}

export interface MapNode {
  readonly kind: 'map';
  readonly place: Place;
  readonly members: ReadonlyMap<string, Member>;
}

export interface ListNode {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: readonly Node[];
}

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly place: Place;
  readonly value: string | number | boolean | null;
  /** What stands in the file, so that `1.10` can still be text. */
  readonly text: string;
}

export type Node = MapNode | ListNode | ScalarNode;

/** The data without places. Maps have no prototype; aliases share one value. */
export function plain(node: Node, seen: Map<Node, unknown> = new Map()): unknown {
  if (node.kind === 'scalar') return node.value;
  const known = seen.get(node);
  if (known !== undefined) return known;
  const data =
    node.kind === 'list'
      ? node.items.map((item) => plain(item, seen))
      : Object.assign(
          Object.create(null),
          Object.fromEntries([...node.members].map(([key, { value }]) => [key, plain(value, seen)])),
        );
  seen.set(node, data);
  return data;
}

/** As `plain`, of a whole file. */
export function dataOf(root: MapNode): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...root.members].map(([key, { value }]) => [key, plain(value)]));
}

/**
 * Where a path leads, with the keys as the file spells them: to the key for a member that is there,
 * to the nearest thing above it for one that is missing, which is then called as in `missing`.
 */
export function locate(
  root: Node,
  path: Path,
  missing: Path = path,
): { readonly place: Place; readonly path: string } {
  let node: Node | undefined = root;
  let place = root.place;
  const spelled = path.map((part, i): string | number => {
    const member: Member | undefined = node?.kind === 'map' ? node.members.get(String(part)) : undefined;
    node = member?.value ?? (node?.kind === 'list' ? node.items[Number(part)] : undefined);
    place = member?.place ?? node?.place ?? place;
    return member?.spelled ?? missing[i] ?? part;
  });
  return { place, path: formatPath(spelled) };
}
