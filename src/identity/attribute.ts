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
  /** For people. */
  readonly title: string;
}

const named = (extension: number, name: string, jsonName: string, title: string): AttributeName => ({
  extension,
  name,
  jsonName,
  title,
});

/** What templates fill; issuer and subject always come from the token itself. Ascending, which is the order of emission. */
export const ATTRIBUTE_NAMES: readonly AttributeName[] = [
  named(2, 'github-workflow-trigger', 'GithubWorkflowTrigger', 'GitHub Workflow Trigger'),
  named(3, 'github-workflow-sha', 'GithubWorkflowSHA', 'GitHub Workflow SHA'),
  named(4, 'github-workflow-name', 'GithubWorkflowName', 'GitHub Workflow Name'),
  named(5, 'github-workflow-repository', 'GithubWorkflowRepository', 'GitHub Workflow Repository'),
  named(6, 'github-workflow-ref', 'GithubWorkflowRef', 'GitHub Workflow Ref'),
  named(9, 'build-signer-uri', 'BuildSignerURI', 'Build Signer URI'),
  named(10, 'build-signer-digest', 'BuildSignerDigest', 'Build Signer Digest'),
  named(11, 'runner-environment', 'RunnerEnvironment', 'Runner Environment'),
  named(12, 'source-repository-uri', 'SourceRepositoryURI', 'Source Repository URI'),
  named(13, 'source-repository-digest', 'SourceRepositoryDigest', 'Source Repository Digest'),
  named(14, 'source-repository-ref', 'SourceRepositoryRef', 'Source Repository Ref'),
  named(15, 'source-repository-identifier', 'SourceRepositoryIdentifier', 'Source Repository Identifier'),
  named(16, 'source-repository-owner-uri', 'SourceRepositoryOwnerURI', 'Source Repository Owner URI'),
  named(
    17,
    'source-repository-owner-identifier',
    'SourceRepositoryOwnerIdentifier',
    'Source Repository Owner Identifier',
  ),
  named(18, 'build-config-uri', 'BuildConfigURI', 'Build Config URI'),
  named(19, 'build-config-digest', 'BuildConfigDigest', 'Build Config Digest'),
  named(20, 'build-trigger', 'BuildTrigger', 'Build Trigger'),
  named(21, 'run-invocation-uri', 'RunInvocationURI', 'Run Invocation URI'),
  named(
    22,
    'source-repository-visibility-at-signing',
    'SourceRepositoryVisibilityAtSigning',
    'Source Repository Visibility',
  ),
  named(23, 'deployment-environment', 'DeploymentEnvironment', 'Deployment Environment'),
];

/** Names that Fulcio's `extension-templates` may hold although they have no effect. */
export const IGNORED_ATTRIBUTE_NAMES: readonly string[] = ['issuer', 'subject'];

const BY_NAME: ReadonlyMap<string, AttributeName> = new Map(
  ATTRIBUTE_NAMES.map((entry) => [entry.name, entry]),
);

export function attributeNamed(name: string): AttributeName | undefined {
  return BY_NAME.get(name);
}

export const ATTRIBUTE_TITLES: ReadonlyMap<number, string> = new Map([
  [ISSUER, 'Issuer'],
  [ISSUER_V2, 'Issuer'],
  [TOKEN_SUBJECT, 'Token Subject'],
  ...ATTRIBUTE_NAMES.map(({ extension, title }): [number, string] => [extension, title]),
]);
