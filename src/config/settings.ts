// Settings: what an instance runs with, read from one configuration file, or every reason why it cannot be.

import type { Kinds } from '../identity/provider.ts';
import type { ConfiguredIssuer } from './configured-issuer.ts';
import { readDocument } from './document.ts';
import { Findings } from './findings.ts';
import { inJsonNames, inYamlNames } from './fulcio-names.ts';
import { type GeneralSettings, readGeneralSettings } from './general-settings.ts';
import { readIssuers } from './issuer-list.ts';
import { manifestMistake } from './kubernetes-manifest.ts';
import { type Mistake, SettingsError } from './mistake.ts';
import type { MapNode, Node } from './node.ts';
import type { Reader } from './trust-material.ts';

export type { ConfiguredIssuer, IssuerListing } from './configured-issuer.ts';

export interface Settings extends GeneralSettings {
  readonly issuers: readonly ConfiguredIssuer[];
  /** Issuers from whom nothing is taken for now: names, URLs, or single `iss` of a wildcard. Not from the file. */
  readonly frozen?: ReadonlySet<string>;
}

export interface SettingsOptions {
  /** For messages. */
  readonly fileName: string;
  readonly kinds: Kinds;
  /** Text of a file that the configuration names; throws where there is none. */
  readonly readFile?: (path: string) => string;
}

export interface ReadSettings {
  readonly settings: Settings;
  /** About what works, but not as it should. */
  readonly warnings: readonly Mistake[];
  /** What they were read from, in the names of YAML. */
  readonly root: MapNode;
}

/** Throws SettingsError with every mistake. */
export function parseSettings(text: string, options: SettingsOptions): ReadSettings {
  const { fileName } = options;
  const result = readDocument(text);
  if ('mistakes' in result) throw new SettingsError(result.mistakes, fileName);
  const { document } = result;
  const named = inYamlNames(document.root, document.json);
  const before = { mistakes: [...document.mistakes, ...named.mistakes], unread: document.unread };
  const findings = new Findings(named.root, before, document.json ? inJsonNames : undefined);
  const root = asMap(named.root, findings);
  const manifest = manifestMistake(root);
  if (manifest !== undefined) {
    const { line, column } = root.members.get('kind')?.place ?? root.place;
    throw new SettingsError([{ path: '', line, column, message: manifest, severity: 'error' }], fileName);
  }
  const settings = readSettings(root, findings, options);
  if (settings === undefined || findings.errors.length > 0) throw new SettingsError(findings.all, fileName);
  return { settings, warnings: findings.warnings, root };
}

/** An empty file is an empty map: everything has a default. */
function asMap(root: Node, findings: Findings): MapNode {
  if (root.kind === 'map') return root;
  if (root.kind === 'list' || root.value !== null) findings.error([], 'takes a map of settings');
  return { kind: 'map', place: root.place, members: new Map() };
}

function readSettings(root: MapNode, findings: Findings, options: SettingsOptions): Settings | undefined {
  const reader: Reader = { findings, readFile: options.readFile ?? noFiles };
  const general = readGeneralSettings(root, reader);
  const issuers = readIssuers(root, options.kinds, reader);
  return general && { ...general, issuers };
}

function noFiles(): never {
  throw new Error('files are out of reach here');
}
