// Public issuer: an OpenID provider where anybody can get an account, so that trusting it alone is trusting everybody.

interface PublicIssuer {
  /** Matches the URL or pattern as configured; a `*` in it means that the operator left the tenant open. */
  readonly url: RegExp;
  /** The claim by which a policy can tell the tenants apart. */
  readonly claim: string;
}

const PUBLIC_ISSUERS: readonly PublicIssuer[] = [
  { url: /^https:\/\/token\.actions\.githubusercontent\.com(?:\/.*\*.*)?$/, claim: 'repository_owner_id' },
  { url: /^https:\/\/gitlab\.com$/, claim: 'namespace_id' },
  { url: /^https:\/\/agent\.buildkite\.com$/, claim: 'organization_slug' },
  { url: /^https:\/\/oidc\.circleci\.com(?:\/org\/.*\*.*)?$/, claim: 'oidc.circleci.com/project-id' },
  { url: /^https:\/\/oidc\.codefresh\.io$/, claim: 'account_id' },
  { url: /^https:\/\/(?:[a-z]+-)?oidc\.buddyusercontent\.com$/, claim: 'workspace_domain' },
  { url: /^https:\/\/accounts\.google\.com$/, claim: 'hd' },
  {
    url: /^https:\/\/login\.microsoftonline\.com\/(?:common|organizations|consumers|.*\*.*)\/v2\.0$/,
    claim: 'tid',
  },
  { url: /^https:\/\/oauth2\.sigst(?:ore|age)\.dev\/auth$/, claim: 'email' },
  { url: /^https:\/\/issuer\.hello\.coop$/, claim: 'email' },
  { url: /^https:\/\/www\.kaggle\.com\/api\/v1\/models\/signing$/, claim: 'email' },
  { url: /^https:\/\/sigstore\.verify\.ibm\.com\/oauth2$/, claim: 'email' },
  { url: /^https:\/\/auth\.eclipse\.org\/auth\/realms\/.+$/, claim: 'email' },
  { url: /^https:\/\/issuer\.enforce\.dev$/, claim: 'sub' },
  // Clouds that name the cluster in the URL: the part that says whose it is, left open.
  { url: /^https:\/\/container\.googleapis\.com\/v1\/projects\/[^/]*\*/, claim: 'sub' },
  { url: /^https:\/\/oidc\.eks\..*amazonaws\.com\/id\/.*\*/, claim: 'sub' },
  { url: /^https:\/\/(?:.*\.)?oid?c\.prod-aks\.azure\.com\/[^/]*\*/, claim: 'sub' },
];

/** The claim that tells the tenants of a public issuer apart; undefined for an issuer that is not known as one. */
export function tenantClaim(url: string): string | undefined {
  return PUBLIC_ISSUERS.find((issuer) => issuer.url.test(url))?.claim;
}
