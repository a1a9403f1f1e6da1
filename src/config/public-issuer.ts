// Public issuer: an OpenID provider where anybody can get an account, so that trusting it alone is trusting everybody.

interface PublicIssuer {
  /** Matches the URL or pattern as configured; a `*` in it means that the operator left the tenant open. */
  readonly url: RegExp;
  /** The claim by which a policy can tell the tenants apart; undefined where only the URL can. */
  readonly claim?: string;
}

const PUBLIC_ISSUERS: readonly PublicIssuer[] = [
  {
    url: /^https:\/\/token\.actions\.githubusercontent\.com(?:\/.*\*.*)?$/,
    claim: 'repository_owner_id',
  },
  { url: /^https:\/\/token\.actions\.[^/]*\*[^/]*\.ghe\.com$/, claim: 'repository_owner_id' },
  { url: /^https:\/\/gitlab\.com$/, claim: 'namespace_id' },
  { url: /^https:\/\/gitea\.com\/api\/actions\/oidc$/, claim: 'repository_owner_id' },
  { url: /^https:\/\/codeberg\.org\/api\/actions$/, claim: 'repository_owner' },
  { url: /^https:\/\/app\.terraform\.io$/, claim: 'terraform_organization_id' },
  { url: /^https:\/\/agent\.buildkite\.com$/, claim: 'organization_slug' },
  { url: /^https:\/\/oidc\.circleci\.com(?:\/org\/.*\*.*)?$/, claim: 'oidc.circleci.com/project-id' },
  { url: /^https:\/\/oidc\.codefresh\.io$/, claim: 'account_id' },
  { url: /^https:\/\/(?:[a-z]+-)?oidc\.buddyusercontent\.com$/, claim: 'workspace_domain' },
  { url: /^https:\/\/accounts\.google\.com$/, claim: 'hd' },
  {
    url: /^https:\/\/login\.microsoftonline\.com\/(?:common|organizations|consumers|.*\*.*)\/v2\.0$/,
    claim: 'tid',
  },
  // The tenant of personal accounts, under its id.
  {
    url: /^https:\/\/login\.microsoftonline\.com\/9188040d-6c67-4c5b-b112-36a304b66dad\/v2\.0$/,
    claim: 'sub',
  },
  { url: /^https:\/\/oauth2\.sigst(?:ore|age)\.dev\/auth$/, claim: 'email' },
  { url: /^https:\/\/issuer\.hello\.coop$/, claim: 'email' },
  { url: /^https:\/\/www\.kaggle\.com\/api\/v1\/models\/signing$/, claim: 'email' },
  { url: /^https:\/\/issuer\.enforce\.dev$/, claim: 'sub' },
  // Clouds that run clusters and pipelines for everybody and name them in the URL, with the part open that says whose it is.
  { url: /^https:\/\/container\.googleapis\.com\/v1\/projects\/[^/]*\*/ },
  { url: /^https:\/\/oidc\.eks\..*amazonaws\.com\/id\/.*\*/ },
  {
    url: /^https:\/\/api\.bitbucket\.org\/2\.0\/workspaces\/[^/]*\*[^/]*\/pipelines-config\/identity\/oidc$/,
  },
  { url: /^https:\/\/(?:.*\.)?oid?c\.prod-aks\.azure\.com\/[^/]*\*/ },
];

/** How to say who is meant; undefined for an issuer that is not known as public. */
export function narrowing(url: string): string | undefined {
  const issuer = PUBLIC_ISSUERS.find((one) => one.url.test(url));
  if (issuer === undefined) return undefined;
  const { claim } = issuer;
  if (claim === undefined) return 'put your own project, tenant or cluster for the *';
  return `add policy: { require: { ${claim}: [...] } }`;
}
