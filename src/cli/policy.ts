// policy: claim policies tried out on a table of claims, before anybody's certificate depends on them.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { type PolicyCase, parsePolicyCases } from '../config/policy-cases.ts';
import type { ConfiguredIssuer } from '../config/settings.ts';
import { objectionsTo } from '../policy/policy.ts';
import { loadSettings } from './options.ts';
import { addOutcome, EXIT_FOUND_WRONG, type JsonFlag, type Outcome, tell } from './outcome.ts';

interface TestFlags extends JsonFlag {
  config?: string;
}

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
      rule: cel[0]                      # the first that objects; require.CLAIM or cel[N]`;

export function policyCommand(): Command {
  const test = new Command('test')
    .description('run a YAML table of claims against the policies of a configuration')
    .argument('<file>', 'the table')
    .option('--config <file>', 'the configuration (default: the one that the table names)')
    .addHelpText('after', EXAMPLE);
  addOutcome(test, 'all are as expected', 'some are not').action((file: string, flags: TestFlags) =>
    tell(flags, () => testPolicies(file, flags)),
  );
  return new Command('policy').description('try out claim policies').addCommand(test);
}

function testPolicies(file: string, flags: TestFlags): Outcome {
  const { config, cases } = parsePolicyCases(readTable(file), file);
  const wanted = flags.config ?? config;
  const { settings } = loadSettings(wanted === undefined ? {} : { config: wanted });
  const results = cases.map((one) => ({ ...one, fault: faultOf(one, settings.issuers) }));
  const failed = results.filter(({ fault }) => fault !== undefined).length;
  const line = ({ number, name, fault }: (typeof results)[number]): string =>
    fault === undefined ? `ok   ${number} ${name}` : `FAIL ${number} ${name}: ${fault}`;
  return {
    lines: [
      ...results.map((one) => printable(line(one))),
      `${cases.length - failed} of ${cases.length} as expected`,
    ],
    object: {
      ok: failed === 0,
      cases: results.map(({ number, name, issuer, expected, fault }) => ({
        number,
        name,
        issuer,
        expected,
        ok: fault === undefined,
        ...(fault !== undefined && { fault }),
      })),
    },
    ...(failed > 0 && { exitCode: EXIT_FOUND_WRONG }),
  };
}

function readTable(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`the table ${file} cannot be read`, { cause });
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
