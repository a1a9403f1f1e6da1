// explain: what an instance with this configuration would make of a token, offline.

import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { systemClock } from '../clock.ts';
import { type Explanation, explain } from '../explanation.ts';
import { trustOf } from '../trust-in-force.ts';
import { addGivenToken, type GivenToken, givenToken } from './given-token.ts';
import { loadSettings } from './options.ts';
import { addOutcome, EXIT_FOUND_WRONG, type JsonFlag, type Outcome, tell } from './outcome.ts';

interface ExplainFlags extends JsonFlag, GivenToken {
  config?: string;
}

export function explainCommand(): Command {
  const described = new Command('explain')
    .description('tell which issuer a token belongs to, and whether and why it would be refused')
    .option('--config <file>', 'the configuration (default: ./mayfly.yaml, else the shipped one)');
  const command = addGivenToken(
    described,
    'the token, of which the last part, the signature, may be cut off',
  );
  return addOutcome(command, 'would be accepted', 'would be refused').action((flags: ExplainFlags) =>
    tell(flags, () => explainToken(flags)),
  );
}

function explainToken({ config, ...flags }: ExplainFlags): Outcome {
  const token = givenToken(flags);
  if (token === undefined) throw new Error('which token? Give it, or a file that holds it, with --token');
  const { settings } = loadSettings(config === undefined ? {} : { config });
  const explanation = explain(token, trustOf(settings), systemClock.now());
  return {
    lines: linesOf(explanation),
    object: explanation,
    ...(!explanation.accepted && { exitCode: EXIT_FOUND_WRONG }),
  };
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
