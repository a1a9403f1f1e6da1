// Issuer list: every issuer of a configuration file, whichever form it stands in, and none that gets in another's way.

import type { Kinds } from '../identity/provider.ts';
import { type Issuer, overlaps } from '../token/issuer.ts';
import { type ConfiguredIssuer, configure, type IssuerEntry } from './configured-issuer.ts';
import type { Findings } from './findings.ts';
import { fulcioEntries, fulcioMetadata } from './fulcio.ts';
import { listedIssuer } from './issuer-schema.ts';
import { faultsOf } from './issuer-url.ts';
import type { MapNode, Node } from './node.ts';
import { defined, type Reader } from './trust-material.ts';

/** Those named in full before those with a pattern, as the configuration endpoint lists them. */
export function readIssuers(root: MapNode, kinds: Kinds, reader: Reader): readonly ConfiguredIssuer[] {
  const { findings } = reader;
  const section = (name: string): Node | undefined => root.members.get(name)?.value;
  const metadata = fulcioMetadata(section('ci-issuer-metadata'), kinds, findings);
  const entries = [
    ...listedEntries(section('issuers'), findings),
    ...fulcioEntries('oidc-issuers', section('oidc-issuers'), findings),
    ...fulcioEntries('meta-issuers', section('meta-issuers'), findings),
  ];
  checkNames(entries, findings);
  checkOverlaps(entries, findings);
  const surroundings = { ...reader, kinds, metadata };
  return entries
    .flatMap((entry) => configure(entry, surroundings) ?? [])
    .sort((a, b) => Number(a.issuer.wildcard) - Number(b.issuer.wildcard));
}

function listedEntries(node: Node | undefined, findings: Findings): readonly IssuerEntry[] {
  if (node === undefined) return [];
  if (node.kind !== 'list') {
    findings.error(['issuers'], 'takes a list');
    return [];
  }
  return node.items.flatMap((item, index): IssuerEntry[] => {
    const path = ['issuers', index];
    const fields = findings.read(listedIssuer, item, path);
    if (fields === undefined) return [];
    const { 'issuer-url': url, name = url, audiences, values } = fields;
    const wildcard = url.includes('*');
    const urlPath = [...path, 'issuer-url'];
    const says = (key: string): boolean => findings.isSound([...path, key]);
    const own = {
      url: says('issuer-url'),
      name: says('name') && (fields.name !== undefined || says('issuer-url')),
      audiences: says('audiences'),
    };
    const named = { path, urlPath, name, url, wildcard, audiences };
    return [{ form: 'list', ...named, fields, own, ...defined('values', values) }];
  });
}

/** Logs and metrics tell entries apart by name. */
function checkNames(entries: readonly IssuerEntry[], findings: Findings): void {
  const seen = new Map<string, IssuerEntry>();
  for (const entry of entries.filter(({ own }) => own.name)) {
    const first = seen.get(entry.name);
    if (first === undefined) seen.set(entry.name, entry);
    else
      findings.error(
        [...entry.path, 'name'],
        `takes a name of its own; ${entry.name} is that of ${findings.where(first.path)}`,
      );
  }
}

/** Each pattern is compared with each other, at the product of their lengths. */
const MAX_PATTERNS = 100;

function checkOverlaps(entries: readonly IssuerEntry[], findings: Findings): void {
  const tooMany = entries.filter(({ wildcard }) => wildcard)[MAX_PATTERNS];
  if (tooMany !== undefined) {
    findings.error(tooMany.urlPath, `takes at most ${MAX_PATTERNS} URLs with a *`);
    return;
  }
  const usable = entries.filter(
    ({ url, own }) => own.url && own.audiences && faultsOf(url).every(({ tolerable }) => tolerable),
  );
  const entryOf = new Map<Issuer, IssuerEntry>(
    usable.map((entry) => [
      { name: entry.name, url: entry.url, wildcard: entry.wildcard, audiences: entry.audiences },
      entry,
    ]),
  );
  for (const { first, second, why } of overlaps([...entryOf.keys()])) {
    const [a, b] = [entryOf.get(first), entryOf.get(second)];
    if (a !== undefined && b !== undefined)
      findings.error(b.urlPath, `overlaps with ${findings.where(a.path)}: ${why}`);
  }
}
