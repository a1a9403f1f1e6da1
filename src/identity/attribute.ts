// Attribute: one fact about an identity, written as the extension 1.3.6.1.4.1.57264.1.N (fulcio docs/oid-info.md).

export interface Attribute {
  /** N. */
  readonly extension: number;
  /** Never empty. */
  readonly value: string;
}

/** The token's issuer, once as bare text (deprecated, but verifiers fall back to it) and once in DER. */
export const ISSUER = 1;
export const ISSUER_V2 = 8;
/** The token's `sub`. */
export const TOKEN_SUBJECT = 24;

export interface AttributeName {
  readonly extension: number;
  /** As in `extension-templates`. */
  readonly name: string;
  /** As in Fulcio's JSON configuration and in its error texts. */
  readonly jsonName: string;
}

const named = (extension: number, name: string, jsonName: string): AttributeName => ({
  extension,
  name,
  jsonName,
});

/** What templates fill; issuer and subject always come from the token itself. Ascending, which is the order of emission. */
export const ATTRIBUTE_NAMES: readonly AttributeName[] = [
  named(2, 'github-workflow-trigger', 'GithubWorkflowTrigger'),
  named(3, 'github-workflow-sha', 'GithubWorkflowSHA'),
  named(4, 'github-workflow-name', 'GithubWorkflowName'),
  named(5, 'github-workflow-repository', 'GithubWorkflowRepository'),
  named(6, 'github-workflow-ref', 'GithubWorkflowRef'),
  named(9, 'build-signer-uri', 'BuildSignerURI'),
  named(10, 'build-signer-digest', 'BuildSignerDigest'),
  named(11, 'runner-environment', 'RunnerEnvironment'),
  named(12, 'source-repository-uri', 'SourceRepositoryURI'),
  named(13, 'source-repository-digest', 'SourceRepositoryDigest'),
  named(14, 'source-repository-ref', 'SourceRepositoryRef'),
  named(15, 'source-repository-identifier', 'SourceRepositoryIdentifier'),
  named(16, 'source-repository-owner-uri', 'SourceRepositoryOwnerURI'),
  named(17, 'source-repository-owner-identifier', 'SourceRepositoryOwnerIdentifier'),
  named(18, 'build-config-uri', 'BuildConfigURI'),
  named(19, 'build-config-digest', 'BuildConfigDigest'),
  named(20, 'build-trigger', 'BuildTrigger'),
  named(21, 'run-invocation-uri', 'RunInvocationURI'),
  named(22, 'source-repository-visibility-at-signing', 'SourceRepositoryVisibilityAtSigning'),
  named(23, 'deployment-environment', 'DeploymentEnvironment'),
];

/** Names that Fulcio's `extension-templates` may hold although they have no effect. */
export const IGNORED_ATTRIBUTE_NAMES: readonly string[] = ['issuer', 'subject'];

const BY_NAME: ReadonlyMap<string, AttributeName> = new Map(
  ATTRIBUTE_NAMES.map((entry) => [entry.name, entry]),
);

export function attributeNamed(name: string): AttributeName | undefined {
  return BY_NAME.get(name);
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [ISSUER, 'issuer'],
  [ISSUER_V2, 'issuer'],
  [TOKEN_SUBJECT, 'subject'],
  ...ATTRIBUTE_NAMES.map(({ extension, name }): [number, string] => [extension, name]),
]);

/** `build-signer-uri` for 9; undefined for a number without a meaning. */
export function attributeNameOf(extension: number): string | undefined {
  return NAMES.get(extension);
}
