import { describe, expect, it } from 'vitest';
import { readDocument } from '../../../src/config/document.ts';
import { inYamlNames } from '../../../src/config/fulcio-names.ts';
import { plain } from '../../../src/config/node.ts';
import { ATTRIBUTE_NAMES } from '../../../src/identity/attribute.ts';

function read(text: string): { readonly data: unknown; readonly mistakes: readonly string[] } {
  const result = readDocument(text);
  if ('mistakes' in result) throw new Error(JSON.stringify(result.mistakes));
  const { root, mistakes } = inYamlNames(result.document.root, result.document.json);
  return {
    data: JSON.parse(JSON.stringify(plain(root))),
    mistakes: mistakes.map(({ line, path, message }) => `${line} ${path} ${message}`),
  };
}

const issuer = (fields: object): object => ({ 'oidc-issuers': { 'https://a.example': fields } });

describe('names in JSON', () => {
  it("are Go's, in any case", () => {
    const json = {
      OIDCIssuers: {
        'https://a.example': {
          IssuerURL: 'https://a.example',
          clientID: 'sigstore',
          TYPE: 'ci-provider',
          CIProvider: 'X-y',
          SPIFFETrustDomain: 'd',
          SkipEmailVerification: true,
          CACert: 'pem',
          policy: { require: { Type: 'x' } },
        },
      },
      metaissuers: {},
      CIIssuerMetadata: {
        'X-y': {
          DefaultTemplateValues: { ClientID: 'v' },
          ExtensionTemplates: Object.fromEntries(
            ATTRIBUTE_NAMES.map(({ jsonName, name }) => [jsonName, name]),
          ),
          SubjectAlternativeNameTemplate: '{{ .sub }}',
        },
      },
      host: 'localhost',
    };
    expect(read(JSON.stringify(json))).toEqual({
      mistakes: [],
      data: {
        ...issuer({
          'issuer-url': 'https://a.example',
          'client-id': 'sigstore',
          type: 'ci-provider',
          'ci-provider': 'X-y',
          'spiffe-trust-domain': 'd',
          'skip-email-verification': true,
          'ca-cert': 'pem',
          policy: { require: { Type: 'x' } },
        }),
        'meta-issuers': {},
        'ci-issuer-metadata': {
          'X-y': {
            'default-template-values': { ClientID: 'v' },
            'extension-templates': Object.fromEntries(ATTRIBUTE_NAMES.map(({ name }) => [name, name])),
            'subject-alternative-name-template': '{{ .sub }}',
          },
        },
        host: 'localhost',
      },
    });
  });

  it('are not those of YAML, which Go would skip without a word', () => {
    const { mistakes } = read(
      '{"oidc-issuers": {},\n"MetaIssuers": {"https://a.example/*": {"client-id": "x",\n"issuer-claim": "y"}}}',
    );
    expect(mistakes).toEqual([
      '1 oidc-issuers is spelled OIDCIssuers in JSON',
      '2 MetaIssuers["https://a.example/*"].client-id is spelled ClientID in JSON',
      '3 MetaIssuers["https://a.example/*"].issuer-claim is spelled IssuerClaim in JSON',
    ]);
  });

  it('may not mean the same twice', () => {
    expect(read('{"OIDCIssuers": {},\n"oidcIssuers": {}}').mistakes).toEqual([
      '2 oidcIssuers means the same as OIDCIssuers on line 1',
    ]);
  });
});

describe('names in YAML', () => {
  it("are left as they are, Go's too, for the schema to refuse", () => {
    const text = 'OIDCIssuers: {}\noidc-issuers:\n  https://a.example: {ClientID: x}\n';
    expect(read(text)).toEqual({ mistakes: [], data: { OIDCIssuers: {}, ...issuer({ ClientID: 'x' }) } });
  });
});

describe('values', () => {
  it('are text to Go, whatever they look like', () => {
    const text = `oidc-issuers:
  https://a.example: { client-id: 0123, type: email, description: 1.10, contact: true, challenge-claim: ~ }
ci-issuer-metadata:
  ci:
    default-template-values: { a: 1e3, b: , c: 0x1F }
    extension-templates: { build-trigger: 42, build-config-uri: }
    subject-alternative-name-template: 007
`;
    expect(read(text).data).toEqual({
      ...issuer({ 'client-id': '0123', type: 'email', description: '1.10', contact: 'true' }),
      'ci-issuer-metadata': {
        ci: {
          'default-template-values': { a: '1e3', b: '', c: '0x1F' },
          'extension-templates': { 'build-trigger': '42', 'build-config-uri': '' },
          'subject-alternative-name-template': '007',
        },
      },
    });
  });

  it.each([
    ['yes', true],
    ['on', true],
    ['y', true],
    ['"yes"', true],
    ['true', true],
    ['no', false],
    ['off', false],
    ['N', false],
    ['YES', 'YES'],
    ['1', 1],
  ])('are true or false to Go: %s', (written, value) => {
    const { data } = read(`oidc-issuers: {"https://a.example": {skip-email-verification: ${written}}}`);
    expect(data).toEqual(issuer({ 'skip-email-verification': value }));
  });

  it('are absent where empty, but an issuer is not', () => {
    expect(read('oidc-issuers:\nmeta-issuers:\nci-issuer-metadata:\nissuers:\n').data).toEqual({});
    expect(read('oidc-issuers: {"https://a.example": {issuer-claim: ""}}').data).toEqual(issuer({}));
    expect(read('oidc-issuers: {"https://a.example": }').data).toEqual({
      'oidc-issuers': { 'https://a.example': null },
    });
  });

  it("are left alone where they are Mayfly's own", () => {
    const text =
      'port: 1\nissuers: [{type: 5}]\noidc-issuers: {"https://a.example": {ca-cert: {file: x}, max-token-age: 0}}';
    expect(read(text).data).toEqual({
      port: 1,
      issuers: [{ type: 5 }],
      ...issuer({ 'ca-cert': { file: 'x' }, 'max-token-age': 0 }),
    });
  });
});
