#!/usr/bin/env node
// mayfly: the command line; one file for each command.

import { Command, CommanderError } from 'commander';
import { SettingsError } from '../config/mistake.ts';
import { VERSION } from '../version.ts';
import { exitCodeOf } from './exit-code.ts';

/** Loaded when they are named, as each brings much along that the others do not need. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand(),
  worker: async () => (await import('./serve.ts')).workerCommand(),
  dev: async () => (await import('./dev.ts')).devCommand(),
  demo: async () => (await import('./demo.ts')).demoCommand(),
  sign: async () => (await import('./sign.ts')).signCommand(),
  verify: async () => (await import('./verify.ts')).verifyCommand(),
  attest: async () => (await import('./attest.ts')).attestCommand(),
  log: async () => (await import('./log.ts')).logCommand(),
  trust: async () => (await import('./trust.ts')).trustCommand(),
  init: async () => (await import('./init.ts')).initCommand(),
  config: async () => (await import('./config.ts')).configCommand(),
  issuer: async () => (await import('./issuer.ts')).issuerCommand(),
  inspect: async () => (await import('./inspect.ts')).inspectCommand(),
  ca: async () => (await import('./ca.ts')).caCommand(),
  policy: async () => (await import('./policy.ts')).policyCommand(),
  explain: async () => (await import('./explain.ts')).explainCommand(),
};

const program = new Command('mayfly')
  .description(
    'A short-lived certificate authority: OIDC token and public key in, ten-minute certificate out.',
  )
  .version(VERSION)
  .showHelpAfterError('(run with --help for the options)')
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 2 wrong use; what 1 and others mean is told by the help of each command',
  );

const [, , named = ''] = process.argv;
for (const [name, load] of Object.entries(COMMANDS))
  if (name === named || !Object.hasOwn(COMMANDS, named))
    program.addCommand(await load(), { hidden: name === 'worker' });

for (const command of everyCommand(program)) command.exitOverride(); // a wrong use is told apart from what a command found

// A reader that has seen enough, such as head, is no failure.
process.stdout.on('error', (failure: NodeJS.ErrnoException) => {
  if (failure.code !== 'EPIPE') throw failure;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  // commander has explained a wrong use already.
  if (!(error instanceof CommanderError)) process.stderr.write(`${describe(error)}\n`);
  else if (error.exitCode !== 0 && error.code !== 'commander.help' && process.argv.includes('--json'))
    process.stdout.write(`${JSON.stringify({ ok: false, message: error.message }, null, 2)}\n`);
  process.exitCode = exitCodeOf(error);
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** A refused configuration names its file in each line; everything else says who speaks. */
function describe(error: unknown): string {
  if (error instanceof SettingsError) return error.message;
  return `mayfly: ${error instanceof Error ? error.message : 'an unknown failure'}`;
}
