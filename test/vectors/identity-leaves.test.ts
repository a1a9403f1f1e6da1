// The leaves that Fulcio issued: for the same claims and configuration our identity has the same name and extensions,
// compared as they were read and as the bytes that our own encoder writes.

import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { subjectAltName } from '../../src/certificate/extension.ts';
import { concat, fromUtf8, hex } from '../../src/encoding/bytes.ts';
import { type Element, oidOf, readAll, readElement, readOnly, TAG } from '../../src/encoding/der.ts';
import type { Attribute } from '../../src/identity/attribute.ts';
import { derive } from '../../src/identity/identity.ts';
import type { CiMetadata } from '../../src/identity/provider.ts';
import { fulcioArc, fulcioOtherName, subjectAltName as sanOid } from '../../src/oid.ts';
import { claimsOf } from '../../src/token/claims.ts';
import { attributeExtensions } from '../fakes/attribute-extensions.ts';
import { providerOf } from '../unit/identity/kinds.ts';
import metadata from './identity-ci-metadata.json' with { type: 'json' };
import leaves from './reference-leaves.json' with { type: 'json' };

interface ReadExtension {
  readonly oid: string;
  readonly value: Uint8Array;
  readonly raw: Uint8Array;
}

function extensionsOf(pem: string): ReadExtension[] {
  const certificate = readOnly(new X509Certificate(pem).raw, TAG.sequence);
  const [tbs] = readAll(certificate.content);
  const last = readAll(tbs?.content ?? new Uint8Array()).at(-1);
  if (last?.tag !== 0xa3) throw new Error('no extensions');
  return readAll(readOnly(last.content, TAG.sequence).content).map((extension) => {
    const parts = readAll(extension.content);
    return {
      oid: oidOf(part(parts, 0).content),
      value: part(parts, parts.length - 1).content,
      raw: extension.raw,
    };
  });
}

function part(elements: readonly Element[], index: number): Element {
  const found = elements[index];
  if (found === undefined) throw new Error(`no element ${index}`);
  return found;
}

function sanOf(value: Uint8Array): { kind: string; value: string } {
  const name = readElement(readOnly(value, TAG.sequence).content);
  if (name.tag === 0x81) return { kind: 'email', value: fromUtf8(name.content) };
  if (name.tag === 0x86) return { kind: 'uri', value: fromUtf8(name.content) };
  const parts = readAll(name.content);
  expect(name.tag).toBe(0xa0);
  expect(oidOf(part(parts, 0).content)).toBe(fulcioOtherName);
  return {
    kind: 'other-name',
    value: fromUtf8(readOnly(readElement(part(parts, 1).raw).content, TAG.utf8String).content),
  };
}

/** .1 to .6 are the bare text, the others UTF8String. */
function attributeOf({ oid, value }: ReadExtension): Attribute {
  const extension = Number(oid.slice(fulcioArc.length + 1));
  return { extension, value: fromUtf8(extension <= 6 ? value : readOnly(value, TAG.utf8String).content) };
}

type Templates = {
  readonly 'default-template-values': object;
  readonly 'extension-templates': object;
  readonly 'subject-alternative-name-template': string;
};

function metadataOf(leaf: (typeof leaves)[number]): CiMetadata | undefined {
  const named = new Map<string, Templates>(Object.entries(metadata.named));
  const byCase = new Map<string, Templates>(Object.entries(metadata.byCase));
  const found = 'ci_provider' in leaf ? named.get(leaf.ci_provider ?? '') : byCase.get(leaf.id);
  return found === undefined
    ? undefined
    : {
        defaults: texts(found['default-template-values']),
        extensions: texts(found['extension-templates']),
        san: found['subject-alternative-name-template'],
      };
}

function texts(record: object): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, String(value)]));
}

test('all 28 are there', () => {
  expect(leaves).toHaveLength(28);
});

test.each(leaves)('$id', (leaf) => {
  const config: Record<string, string> = texts(leaf.config);
  const templates = metadataOf(leaf);
  const provider = providerOf({
    type: config.type ?? '',
    issuerUrl: leaf.issuer,
    ...(config['subject-domain'] === undefined ? {} : { subjectDomain: config['subject-domain'] }),
    ...(config['spiffe-trust-domain'] === undefined
      ? {}
      : { spiffeTrustDomain: config['spiffe-trust-domain'] }),
    ...(config['issuer-claim'] === undefined ? {} : { issuerClaim: config['issuer-claim'] }),
    ...(templates === undefined ? {} : { metadata: templates }),
  });
  const facts = derive(
    provider,
    leaf.issuer,
    claimsOf({ iss: leaf.issuer, aud: 'sigstore', iat: 1, exp: 301, ...leaf.claims }),
  );
  const extensions = extensionsOf(leaf.certificates[0] ?? '');
  const san = extensions.find(({ oid }) => oid === sanOid);
  const ours = extensions.filter(({ oid }) => oid.startsWith(`${fulcioArc}.`));
  expect(facts.san).toEqual(sanOf(san?.value ?? new Uint8Array()));
  expect(facts.attributes).toEqual(ours.map(attributeOf));
  expect(hex(subjectAltName(facts.san))).toBe(hex(san?.raw ?? new Uint8Array()));
  expect(hex(attributeExtensions(facts.attributes))).toBe(hex(concat(...ours.map(({ raw }) => raw))));
});
