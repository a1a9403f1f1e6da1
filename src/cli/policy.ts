// policy: claim policies tried out on a table of claims, before anybody's certificate depends on them.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { type PolicyCase, parsePolicyCases } from '../config/policy-cases.ts';
import type { ConfiguredIssuer } from '../config/settings.ts';
import { objectionsTo } from '../policy/policy.ts';
import { loadSettings } from './options.ts';

const EXAMPLE = `
Example of a table:
  config: mayfly.yaml
  cases:
    - name: version tags may sign
      issuer: github                    # its name in the configuration, or its URL
      claims: { ref: refs/tags/v1.0, repository_owner_id: "12345" }
      expect: allow
    - name: branches of others may not
      issuer: github
      claims: { ref: refs/heads/x, repository_owner_id: "12345" }
      expect: deny
      rule: cel[0]                      # the first that objects; require.CLAIM or cel[N]

Exit codes: 0 all as expected, 1 some not, 2 a file cannot be used`;

export function policyCommand(): Command {
  const test = new Command('test')
    .description('run a YAML table of claims against the policies of a configuration')
    .argument('<file>', 'the table')
    .option('--config <file>', 'the configuration (default: the one that the table names)')
    .addHelpText('after', EXAMPLE)
    .action(testPolicies);
  return new Command('policy').description('try out claim policies').addCommand(test);
}

function testPolicies(file: string, flags: { config?: string }): void {
  try {
    const { config, cases } = parsePolicyCases(readFileSync(file, 'utf8'), file);
    const wanted = flags.config ?? config;
    const { settings } = loadSettings(wanted === undefined ? {} : { config: wanted });
    const faults = cases.map((one) => faultOf(one, settings.issuers));
    for (const [i, one] of cases.entries()) {
      const fault = faults[i];
      const line = `${fault === undefined ? 'ok  ' : 'FAIL'} ${one.number} ${one.name}`;
      process.stdout.write(`${printable(fault === undefined ? line : `${line}: ${fault}`)}\n`);
    }
    const failed = faults.filter((fault) => fault !== undefined).length;
    process.stdout.write(`${cases.length - failed} of ${cases.length} as expected\n`);
    if (failed > 0) process.exitCode = 1;
  } catch (failure) {
    process.stderr.write(`${failure instanceof Error ? failure.message : 'an unknown failure'}\n`);
    process.exitCode = 2;
  }
}

/** Why the policy does not say what the case expects; undefined when it does. An audit mode is tried as if it enforced. */
function faultOf(
  { issuer: wanted, claims, expected, rule }: PolicyCase,
  issuers: readonly ConfiguredIssuer[],
): string | undefined {
  const configured =
    issuers.find(({ issuer }) => issuer.name === wanted) ??
    issuers.find(({ issuer }) => issuer.url === wanted);
  if (configured === undefined) return `no issuer ${wanted} is configured`;
  const [first] = configured.policy === undefined ? [] : objectionsTo(claims, configured.policy);
  if (expected === 'allow') return first && `denied by ${first.name}: ${first.text}`;
  if (first === undefined) return 'allowed';
  return rule === undefined || rule === first.name ? undefined : `denied by ${first.name}, not by ${rule}`;
}
