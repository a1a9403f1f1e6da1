// Fulcio's configuration: its maps of issuers and of CI templates, as the same entries that the list form gives.

import { compileProvider, type Kinds } from '../identity/provider.ts';
import { type IssuerEntry, metadataOf } from './configured-issuer.ts';
import type { Findings } from './findings.ts';
import { type CiMetadata, ciMetadata, type FulcioIssuer, fulcioIssuer } from './issuer-schema.ts';
import type { Path } from './mistake.ts';
import type { Node } from './node.ts';

/** Entries of `oidc-issuers` or `meta-issuers`; one with mistakes too, as far as it says anything. */
export function fulcioEntries(
  section: 'oidc-issuers' | 'meta-issuers',
  node: Node | undefined,
  findings: Findings,
): readonly IssuerEntry[] {
  const wildcard = section === 'meta-issuers';
  return membersOf(node, [section], findings).flatMap(([url, value]): IssuerEntry[] => {
    const path = [section, url];
    const fields = findings.read(fulcioIssuer, value, path);
    if (fields === undefined) return [];
    if (wildcard) checkPattern(url, fields, path, findings);
    else checkKey(url, fields, path, findings);
    const audiences = audiencesOf(fields);
    const said = ['client-id', 'audiences'].every((key) => findings.isSound([...path, key]));
    if (audiences.length === 0 && said)
      findings.error([...path, 'client-id'], 'is missing; it takes the audience that tokens must carry');
    const own = { url: true, name: true, audiences: audiences.length > 0 && said };
    return [{ form: 'fulcio', path, urlPath: path, name: url, url, wildcard, audiences, fields, own }];
  });
}

function checkKey(url: string, fields: FulcioIssuer, path: Path, findings: Findings): void {
  const given = fields['issuer-url'];
  const at = [...path, 'issuer-url'];
  if (!findings.isSound(at)) return;
  if (given === undefined) findings.error(at, `is missing; it takes the same URL as its key, ${url}`);
  else if (given !== url)
    findings.error(at, `must be the same URL as its key, ${url}; no token would match otherwise`);
  if (url.includes('*')) findings.error(path, 'a * in a URL is read under meta-issuers only');
}

function checkPattern(url: string, fields: FulcioIssuer, path: Path, findings: Findings): void {
  const given = fields['issuer-url'];
  if (given !== undefined && given !== url) {
    findings.warn([...path, 'issuer-url'], 'is not read here: the key is the pattern that tokens must match');
  }
}

function audiencesOf(fields: FulcioIssuer): readonly string[] {
  const given = fields['client-id'];
  return [...(given === undefined ? [] : [given]), ...(fields.audiences ?? [])];
}

/** `ci-issuer-metadata` by name; undefined for a value with mistakes, so that it is still known. */
export function fulcioMetadata(
  node: Node | undefined,
  kinds: Kinds,
  findings: Findings,
): ReadonlyMap<string, CiMetadata | undefined> {
  return new Map(
    membersOf(node, ['ci-issuer-metadata'], findings).map(([name, value]) => {
      const path = ['ci-issuer-metadata', name];
      const templates = findings.read(ciMetadata, value, path);
      return [
        name,
        templates !== undefined && compiles(templates, path, kinds, findings) ? templates : undefined,
      ];
    }),
  );
}

/** Templates are checked where they stand, once, whether or not an issuer uses them. */
function compiles(templates: CiMetadata, path: Path, kinds: Kinds, findings: Findings): boolean {
  const metadata = metadataOf(templates);
  const result = compileProvider(kinds, {
    type: 'ci-provider',
    form: 'fulcio',
    issuerUrl: 'https://issuer.invalid',
    metadata,
  });
  if ('provider' in result) return true;
  for (const mistake of result.mistakes) {
    const at = [...path, ...mistake.path];
    if (findings.isSound(at)) findings.error(at, mistake.message);
  }
  return false;
}

function membersOf(
  node: Node | undefined,
  path: Path,
  findings: Findings,
): readonly (readonly [string, Node])[] {
  if (node === undefined) return [];
  if (node.kind === 'map') return Array.from(node.members, ([key, { value }]) => [key, value]);
  findings.error(path, 'takes a map');
  return [];
}
