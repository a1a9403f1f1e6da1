// Public issuer: an OpenID provider where anybody can get an account, so that trusting it alone is trusting everybody.

import { intersects } from '../token/issuer-pattern.ts';

interface PublicIssuer {
  /** Matches the URL or pattern as configured; a `*` in it means that the operator left the tenant open. */
  readonly url: Pick<RegExp, 'test'>;
  /**
   * What `iss` its tokens have, for patterns that leave more open than the tenant: `{}` is the tenant, and a `*` what says
   * nothing of whose it is.
   */
  readonly iss: readonly string[];
  /** The claim by which a policy can tell the tenants apart; undefined where only the URL can. */
  readonly claim?: string;
}

const PUBLIC_ISSUERS: readonly PublicIssuer[] = [
  {
    url: /^https:\/\/token\.actions\.githubusercontent\.com(?:\/.*\*.*)?$/,
    iss: ['https://token.actions.githubusercontent.com', 'https://token.actions.githubusercontent.com/{}'],
    claim: 'repository_owner_id',
  },
  {
    url: /^https:\/\/token\.actions\.[^/]*\*[^/]*\.ghe\.com$/,
    iss: ['https://token.actions.{}.ghe.com'],
    claim: 'repository_owner_id',
  },
  one('https://gitlab.com', 'namespace_id'),
  one('https://gitea.com/api/actions/oidc', 'repository_owner_id'),
  one('https://codeberg.org/api/actions', 'repository_owner'),
  one('https://app.terraform.io', 'terraform_organization_id'),
  one('https://agent.buildkite.com', 'organization_slug'),
  {
    url: /^https:\/\/oidc\.circleci\.com(?:\/org\/.*\*.*)?$/,
    iss: ['https://oidc.circleci.com', 'https://oidc.circleci.com/org/{}'],
    claim: 'oidc.circleci.com/project-id',
  },
  one('https://oidc.codefresh.io', 'account_id'),
  {
    url: /^https:\/\/(?:[a-z]+-)?oidc\.buddyusercontent\.com$/,
    iss: ['https://oidc.buddyusercontent.com', 'https://*-oidc.buddyusercontent.com'],
    claim: 'workspace_domain',
  },
  one('https://accounts.google.com', 'hd'),
  {
    url: /^https:\/\/login\.microsoftonline\.com\/(?:common|organizations|consumers|.*\*.*)\/v2\.0$/,
    iss: [
      'https://login.microsoftonline.com/{}/v2.0',
      ...['common', 'organizations', 'consumers'].map(
        (name) => `https://login.microsoftonline.com/${name}/v2.0`,
      ),
    ],
    claim: 'tid',
  },
  // The tenant of personal accounts, under its id.
  one('https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0', 'sub'),
  {
    url: /^https:\/\/oauth2\.sigst(?:ore|age)\.dev\/auth$/,
    iss: ['https://oauth2.sigstore.dev/auth', 'https://oauth2.sigstage.dev/auth'],
    claim: 'email',
  },
  one('https://issuer.hello.coop', 'email'),
  one('https://www.kaggle.com/api/v1/models/signing', 'email'),
  one('https://issuer.enforce.dev', 'sub'),
  // Clouds that run clusters and pipelines for everybody and name them in the URL, with the part open that says whose it is.
  {
    url: /^https:\/\/container\.googleapis\.com\/v1\/projects\/[^/]*\*/,
    iss: ['https://container.googleapis.com/v1/projects/{}/locations/*/clusters/*'],
  },
  {
    url: /^https:\/\/oidc\.eks\..*amazonaws\.com\/id\/.*\*/,
    iss: ['https://oidc.eks.*.amazonaws.com/id/{}'],
  },
  {
    url: /^https:\/\/api\.bitbucket\.org\/2\.0\/workspaces\/[^/]*\*[^/]*\/pipelines-config\/identity\/oidc$/,
    iss: ['https://api.bitbucket.org/2.0/workspaces/{}/pipelines-config/identity/oidc'],
  },
  {
    url: /^https:\/\/(?:.*\.)?oid?c\.prod-aks\.azure\.com\/[^/]*\*/,
    iss: ['*.oic', 'oidc'].flatMap((host) =>
      ['{}', '{}/*'].flatMap((path) => {
        const iss = `https://${host}.prod-aks.azure.com/${path}`;
        return [iss, `${iss}/`];
      }),
    ),
  },
];

/** One issuer for everybody. */
function one(iss: string, claim: string): PublicIssuer {
  return { url: { test: (url) => url === iss }, iss: [iss], claim };
}

/** A tenant that no operator means. */
const STRANGER = 'some-body_Else0';

/** Whether a pattern takes tokens of the issuer whoever the tenant is, whatever else it takes. */
function covers(pattern: string, { iss }: PublicIssuer): boolean {
  return pattern.includes('*') && iss.some((form) => intersects(pattern, form.replaceAll('{}', STRANGER)));
}

/** How to say who is meant; undefined for an issuer that is not known as public. */
export function narrowing(url: string): string | undefined {
  const issuer = PUBLIC_ISSUERS.find((known) => known.url.test(url) || covers(url, known));
  if (issuer === undefined) return undefined;
  const { claim } = issuer;
  if (claim === undefined) return 'put your own project, tenant or cluster for the *';
  return `add policy: { require: { ${claim}: [...] } }`;
}
