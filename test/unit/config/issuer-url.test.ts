import { describe, expect, it } from 'vitest';
import { faultsOf, isLoopback } from '../../../src/config/issuer-url.ts';
import { narrowing } from '../../../src/config/public-issuer.ts';

describe('an issuer URL', () => {
  it.each([
    'https://gitlab.com',
    'https://idp.example.com:8443/realms/a/',
    'https://oidc.eks.*.amazonaws.com/id/*',
    'https://*.oic.prod-aks.azure.com/*/*/',
    'https://ci-*.example.com',
    'https://example.com/*',
    'https://localhost',
    'http://localhost:5556/dex',
    'http://dex.localhost',
    'http://127.0.0.1:9/x',
    'http://127.8.9.255',
    'http://[::1]:80/*',
    'http://127.0.0.1:*',
    'https://10.0.0.1/*',
  ])('%s is fine', (url) => {
    expect(faultsOf(url)).toEqual([]);
  });

  it.each([
    ['gitlab.com', 'takes a URL that begins with https://', false],
    ['HTTPS://gitlab.com', 'takes a URL that begins with https://', false],
    ['https:///x', 'takes a URL that begins with https://', false],
    ['ftp://x', 'takes a URL that begins with https://', false],
    ['h*://example.com', 'takes a URL that begins with https://', false],
    ['https://a b.example', 'white space', false],
    ['https://a.example/\n', 'white space', false],
    ['https://gitlab.com@evil.example', 'user name', false],
    [`https://a.example/${'x'.repeat(2048)}`, 'at most 2048 characters', false],
    [`https://a.example/*${'x'.repeat(256)}`, 'at most 256 characters', false],
    [`https://a.example/${'*/'.repeat(9)}`, 'at most 8 *', false],
    ['https://a.example/?x=1', 'without query', true],
    ['https://a.example/#x', 'without query', true],
    ['http://idp.example', 'takes https://', true],
    ['http://localhost.example', 'takes https://', true],
    ['http://127.0.0.1.example', 'takes https://', true],
    ['http://127.0.0.256', 'takes https://', true],
    ['https://*', '* in the host', true],
    ['https://*/x', '* in the host', true],
    ['https://*.com', '* in the host', true],
    ['https://*.com/x', '* in the host', true],
    ['https://idp.example.*', '* in the host', true],
    ['https://idp.example.com*', '* in the host', true],
    ['https://idp.*.com', '* in the host', true],
    ['https://10.0.*.1', '* in the host', true],
    ['https://*..com', '* in the host', true],
    ['https://idp.example.com:*', 'fixed port', true],
  ])('%s: %s', (url, message, tolerable) => {
    const faults = faultsOf(url);
    expect(faults.find((fault) => fault.message.includes(message))).toMatchObject({ tolerable });
  });

  it.each(['*.localhost', '127.0.0.*', '[::2]', '127.1', 'localhost.', 'xlocalhost'])(
    '%s is not loopback',
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});

describe('a public issuer', () => {
  it.each([
    ['https://token.actions.githubusercontent.com', 'repository_owner_id'],
    ['https://token.actions.githubusercontent.com/*', 'repository_owner_id'],
    ['https://token.actions.*.ghe.com', 'repository_owner_id'],
    ['https://gitlab.com', 'namespace_id'],
    ['https://gitea.com/api/actions/oidc', 'repository_owner_id'],
    ['https://codeberg.org/api/actions', 'repository_owner'],
    ['https://app.terraform.io', 'terraform_organization_id'],
    ['https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0', 'sub'],
    ['https://accounts.google.com', 'hd'],
    ['https://oidc.circleci.com', 'oidc.circleci.com/project-id'],
    ['https://oidc.circleci.com/org/*', 'oidc.circleci.com/project-id'],
    ['https://eu-oidc.buddyusercontent.com', 'workspace_domain'],
    ['https://login.microsoftonline.com/common/v2.0', 'tid'],
    // patterns that leave more open than the tenant
    ['https://*.actions.githubusercontent.com', 'repository_owner_id'],
    ['https://*.actions.githubusercontent.com/*', 'repository_owner_id'],
    ['https://*.*.githubusercontent.com', 'repository_owner_id'],
    ['https://*.actions.*.ghe.com', 'repository_owner_id'],
    ['https://*.com', 'namespace_id'],
    ['https://git*.com', 'namespace_id'],
    ['https://gitea.com/*/actions/oidc', 'repository_owner_id'],
    ['https://*.buildkite.com', 'organization_slug'],
    ['https://*.circleci.com/org/*', 'oidc.circleci.com/project-id'],
    ['https://*.buddyusercontent.com', 'workspace_domain'],
    ['https://*.google.com', 'hd'],
    ['https://*.microsoftonline.com/common/v2.0', 'tid'],
    ['https://*.microsoftonline.com/*/v2.0', 'tid'],
    ['https://*.sigstore.dev/auth', 'email'],
  ])('%s, told apart by %s', (url, claim) => {
    expect(narrowing(url)).toBe(`add policy: { require: { ${claim}: [...] } }`);
  });

  it.each([
    'https://oidc.eks.eu-west-1.amazonaws.com/id/*',
    'https://container.googleapis.com/v1/projects/*/locations/eu/clusters/*',
    'https://*.oic.prod-aks.azure.com/*/*',
    'https://oidc.prod-aks.azure.com/*',
    'https://api.bitbucket.org/2.0/workspaces/*/pipelines-config/identity/oidc',
    'https://*.eks.eu-west-1.amazonaws.com/id/*',
    'https://*.googleapis.com/v1/projects/*/locations/eu/clusters/*',
    'https://*.bitbucket.org/2.0/workspaces/*/pipelines-config/identity/oidc',
    'https://*.*.prod-aks.azure.com/*/*/',
  ])('%s, to be told apart in the URL', (url) => {
    expect(narrowing(url)).toBe('put your own project, tenant or cluster for the *');
  });

  it.each([
    'https://token.actions.githubusercontent.com/acme',
    'https://token.actions.acme.ghe.com',
    'https://gitlab.example.com',
    'https://gitea.example.com/api/actions/oidc',
    'https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc',
    'https://oidc.circleci.com/org/0f1e',
    'https://oidc.eks.*.amazonaws.com/id/ABC',
    'https://container.googleapis.com/v1/projects/acme/locations/*/clusters/*',
    'https://*.oic.prod-aks.azure.com/tenant/*',
    'https://login.microsoftonline.com/8a7b/v2.0',
    'https://evil.example/https://gitlab.com',
    'https://gitlab.com.evil.example',
    'https://*.githubusercontent.com', // one label, and the issuer has two there
    'https://*.actions.githubusercontent.com/acme',
    'https://*.actions.acme.ghe.com',
    'https://*.gitlab.com',
    'https://*.example.com',
    'https://*.microsoftonline.com/8a7b/v2.0',
    'https://*.googleapis.com/v1/projects/acme/locations/*/clusters/*',
    'https://*.oic.prod-aks.azure.com/tenant/*/',
    'https://oidc.*.eu-west-1.amazonaws.com/id/ABC',
  ])('%s is none', (url) => {
    expect(narrowing(url)).toBeUndefined();
  });
});
