// Issuer draft: the entry of an issuer as an operator would begin it, with a comment at each line that wants a decision.

import type { Claims } from '../token/claims.ts';
import { narrowing } from './public-issuer.ts';

export interface IssuerDraft {
  readonly name: string;
  readonly url: string;
  readonly audience: string;
  readonly type: string;
  /** Values that a claim must have, by claim. */
  readonly require: ReadonlyMap<string, readonly string[]>;
  /** Anybody at a public issuer may have a certificate: the operator says so. */
  readonly allowAny: boolean;
  /** Path of PEM certificates for its TLS server. */
  readonly caCert?: string;
}

export interface KnownIssuer {
  /** Undefined where each site has its own. */
  readonly url?: string;
  /** How such a URL looks. */
  readonly example: string;
  readonly type: string;
  /** Matches the URL of such issuers. */
  readonly matches: RegExp;
  /** The claim by which a policy tells tenants apart, where it is not in the URL. */
  readonly claim?: string;
  readonly title: string;
}

const one = (url: string): Pick<KnownIssuer, 'url' | 'example' | 'matches'> => ({
  url,
  example: url,
  matches: new RegExp(`^${RegExp.escape(url)}$`),
});

/** By the name that `mayfly init` takes. */
export const KNOWN_ISSUERS: Readonly<Record<string, KnownIssuer>> = {
  github: {
    ...one('https://token.actions.githubusercontent.com'),
    type: 'github',
    claim: 'repository_owner_id',
    title: 'GitHub Actions',
  },
  gitlab: { ...one('https://gitlab.com'), type: 'gitlab', claim: 'namespace_id', title: 'GitLab CI' },
  buildkite: {
    ...one('https://agent.buildkite.com'),
    type: 'buildkite',
    claim: 'organization_slug',
    title: 'Buildkite',
  },
  circleci: {
    example: 'https://oidc.circleci.com/org/ORGANIZATION-ID',
    matches: /^https:\/\/oidc\.circleci\.com\/org\/[^/]+$/,
    type: 'circleci',
    title: 'CircleCI',
  },
  codefresh: {
    ...one('https://oidc.codefresh.io'),
    type: 'codefresh',
    claim: 'account_id',
    title: 'Codefresh',
  },
  google: {
    ...one('https://accounts.google.com'),
    type: 'email',
    claim: 'hd',
    title: 'people with a Google account',
  },
  gitea: {
    example: 'https://gitea.example.com/api/actions/oidc',
    matches: /\/\/gitea\./,
    type: 'gitea',
    title: 'Gitea Actions',
  },
  forgejo: {
    example: 'https://forgejo.example.com/api/actions',
    matches: /\/\/forgejo\./,
    type: 'forgejo',
    title: 'Forgejo Actions',
  },
  kubernetes: {
    example: 'https://oidc.eks.eu-central-1.amazonaws.com/id/CLUSTER-ID',
    matches:
      /^https:\/\/(?:oidc\.eks\.|container\.googleapis\.com\/v1\/projects\/|[^/]*\.?oid?c\.prod-aks\.azure\.com\/|kubernetes\.default)/,
    type: 'kubernetes',
    title: 'service accounts of a Kubernetes cluster',
  },
  email: {
    example: 'https://login.example.com',
    matches: /(?!)/,
    type: 'email',
    title: 'people who sign in with their email address',
  },
};

/** What kind of issuer this is, by its URL, else by a token of it; people with an email address where nothing else is known. */
export function guessKind(
  url: string,
  claims?: Claims,
): { readonly kind: string; readonly known: KnownIssuer } {
  const byUrl = Object.entries(KNOWN_ISSUERS).find(([, { matches }]) => matches.test(url));
  const kind = byUrl?.[0] ?? (claims === undefined ? 'email' : kindOf(claims));
  return { kind, known: KNOWN_ISSUERS[kind] ?? FALLBACK };
}

const FALLBACK: KnownIssuer = {
  example: 'https://login.example.com',
  matches: /(?!)/,
  type: 'email',
  title: 'people who sign in with their email address',
};

function kindOf(claims: Claims): string {
  if (claims.has('kubernetes.io')) return 'kubernetes';
  if (claims.has('job_workflow_ref')) return 'github';
  if (claims.has('ci_config_ref_uri')) return 'gitlab';
  return 'email';
}

/** YAML lines of one element of `issuers`, at the left margin. */
export function draftLines(draft: IssuerDraft): readonly string[] {
  const { name, url, audience, type, require, allowAny, caCert } = draft;
  const quote = (text: string): string =>
    /^[\w.:/@-]*[\w/]$/.test(text) && /[a-z]/i.test(text) ? text : JSON.stringify(text);
  const line = (text: string, comment: string): string => `${text.padEnd(COMMENT - 1)} # ${comment}`;
  return [
    line(`- name: ${quote(name)}`, 'for logs and metrics'),
    line(`  issuer-url: ${quote(url)}`, 'the iss of its tokens, exactly'),
    line(`  audiences: [${quote(audience)}]`, 'a token must be for one of these'),
    line(`  type: ${type}`, 'how claims become an identity'),
    ...(caCert === undefined ? [] : [`  ca-cert: { file: ${JSON.stringify(caCert)} }`]),
    ...policyLines(require, quote),
    ...(require.size === 0 && narrowing(url) !== undefined && allowAny
      ? [line('  allow-any: true', 'anybody with an account there may have a certificate here')]
      : []),
    line('  # replay: same-key', 'a token for one key alone; allow is the default'),
    line('  # max-token-age: 15m', 'tokens issued longer ago are refused'),
  ];
}

const COMMENT = 66;

function policyLines(require: IssuerDraft['require'], quote: (text: string) => string): readonly string[] {
  if (require.size === 0) return [];
  const claims = Array.from(
    require,
    ([claim, values]) =>
      `      ${quote(claim)}: [${values.map((value) => JSON.stringify(value)).join(', ')}]`,
  );
  return [
    '  policy:',
    `    require:${' '.repeat(COMMENT - 1 - '    require:'.length)} # each claim must hold one of its values; one that ends in * is a prefix`,
    ...claims,
  ];
}
