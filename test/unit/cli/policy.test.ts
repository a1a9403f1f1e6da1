import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../fakes/process.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-policy-'));
  writeFileSync(
    join(folder, 'mayfly.yaml'),
    `
issuers:
  - name: forge
    issuer-url: https://forge.example.com
    audiences: [sigstore]
    type: github
    policy:
      mode: audit
      require: { repository_owner_id: ["12345"] }
      cel:
        - rule: claims.ref.startsWith("refs/tags/v")
          message: only version tags may sign
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

async function runTable(table: string) {
  writeFileSync(join(folder, 'table.yaml'), table);
  return run(['policy', 'test', 'table.yaml'], { cwd: folder });
}

it('compares each case with what the policy says', async () => {
  const { code, stdout } = await runTable(`
config: mayfly.yaml
cases:
  - { name: a tag, issuer: forge, claims: { ref: refs/tags/v1, repository_owner_id: "12345" }, expect: allow }
  - { name: a branch, issuer: forge, claims: { ref: refs/heads/x, repository_owner_id: 12345 }, expect: deny, rule: "cel[0]" }
  - { name: a stranger, issuer: "https://forge.example.com", claims: {}, expect: deny, rule: require.repository_owner_id }
`);
  expect(stdout).toBe('ok   1 a tag\nok   2 a branch\nok   3 a stranger\n3 of 3 as expected\n');
  expect(code).toBe(0);
});

it('says which case is not as expected, and why', async () => {
  const { code, stdout } = await runTable(`
config: mayfly.yaml
cases:
  - { name: one, issuer: forge, claims: { ref: refs/heads/x, repository_owner_id: "12345" }, expect: allow }
  - { name: two, issuer: forge, claims: { ref: refs/tags/v1, repository_owner_id: "12345" }, expect: deny }
  - { name: three, issuer: forge, claims: {}, expect: deny, rule: "cel[0]" }
  - { name: four, issuer: fourge, claims: {}, expect: deny }
`);
  expect(stdout.split('\n')).toEqual([
    'FAIL 1 one: denied by cel[0]: claims.ref.startsWith("refs/tags/v")',
    'FAIL 2 two: allowed',
    'FAIL 3 three: denied by require.repository_owner_id, not by cel[0]',
    'FAIL 4 four: no issuer fourge is configured',
    '0 of 4 as expected',
    '',
  ]);
  expect(code).toBe(1);
});

it('tells every mistake of the table, and where', async () => {
  const { code, stderr } = await runTable(
    'config: mayfly.yaml\ncases:\n  - { name: a, issuer: b, expect: maybe }\n',
  );
  expect(stderr).toContain('table.yaml:3: cases[0].claims: is missing');
  expect(stderr).toContain('cases[0].expect: takes one of allow, deny');
  expect(code).toBe(2);
});
