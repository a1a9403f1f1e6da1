// explain: what an instance with this configuration would make of a token, offline.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { systemClock } from '../clock.ts';
import { type Explanation, explain } from '../explanation.ts';
import { trustOf } from '../trust-in-force.ts';
import { loadSettings } from './options.ts';

interface ExplainFlags {
  config?: string;
  tokenFile: string;
  json?: boolean;
}

export function explainCommand(): Command {
  return new Command('explain')
    .description('tell which issuer a token belongs to, and whether and why it would be refused')
    .option('--config <file>', 'the configuration (default: ./mayfly.yaml, else the shipped one)')
    .requiredOption(
      '--token-file <file>',
      'file with the token, or - for standard input; its last part, the signature, may be cut off',
    )
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExit codes: 0 would be accepted, 1 would be refused, 2 a file cannot be used')
    .action(run);
}

function run({ config, tokenFile, json }: ExplainFlags): void {
  try {
    const { settings } = loadSettings(config === undefined ? {} : { config });
    const token = readFileSync(tokenFile === '-' ? 0 : tokenFile, 'utf8');
    const explanation = explain(token, trustOf(settings), systemClock.now());
    const text = json === true ? JSON.stringify(explanation, null, 2) : linesOf(explanation).join('\n');
    process.stdout.write(`${text}\n`);
    if (!explanation.accepted) process.exitCode = 1;
  } catch (failure) {
    process.stderr.write(`${failure instanceof Error ? failure.message : 'an unknown failure'}\n`);
    process.exitCode = 2;
  }
}

const WIDTH = 10;

function linesOf({ accepted, issuer, steps, policy, certificate }: Explanation): readonly string[] {
  const label = (text: string): string => `  ${text.padEnd(WIDTH)}`;
  return [
    accepted
      ? 'Would be accepted, if the signature verifies, the key is proven, and no limit is used up'
      : 'Would be refused',
    ...(issuer === undefined ? [] : ['', `Issuer ${printable(issuer.name)}, type ${issuer.type}`]),
    '',
    ...steps.map(({ step, passed, reason, field, hint, message }) => {
      if (passed) return `${label(step)}ok`;
      const where = field === undefined ? '' : ` (${field})`;
      return `${label(step)}${reason}${where}: ${printable(reason === 'POLICY_DENIED' ? (message ?? '') : (hint ?? message ?? ''))}`;
    }),
    ...(policy === undefined ? [] : ['', `Policy, mode ${policy.mode}`]),
    ...(policy?.rules ?? []).map(
      ({ name, rule, holds }) =>
        `${label(String(holds))}${printable(name.startsWith('cel') ? `${name} ${rule}` : rule)}`,
    ),
    ...(certificate === undefined
      ? []
      : [
          '',
          `Certificate for ${certificate.subjectAltName.kind} ${printable(certificate.subjectAltName.value)}`,
        ]),
    ...(certificate?.extensions ?? []).map(
      ({ oid, title, value }) =>
        `  ${`.${oid.split('.').at(-1)}`.padEnd(4)}${title.padEnd(36)}${printable(value)}`,
    ),
  ];
}
