#!/usr/bin/env node
// mayfly: the command line; one file for each command.

import { Command } from 'commander';
import { SettingsError } from '../config/mistake.ts';
import { VERSION } from '../version.ts';
import { attestCommand } from './attest.ts';
import { exitCodeOf } from './client-options.ts';
import { demoCommand } from './demo.ts';
import { devCommand } from './dev.ts';
import { serveCommand } from './serve.ts';
import { signCommand } from './sign.ts';
import { trustCommand } from './trust.ts';
import { verifyCommand } from './verify.ts';

const program = new Command('mayfly')
  .description(
    'A short-lived certificate authority: OIDC token and public key in, ten-minute certificate out.',
  )
  .version(VERSION)
  .showHelpAfterError('(run with --help for the options)')
  .addCommand(serveCommand())
  .addCommand(devCommand())
  .addCommand(demoCommand())
  .addCommand(signCommand())
  .addCommand(verifyCommand())
  .addCommand(attestCommand())
  .addCommand(trustCommand());

try {
  await program.parseAsync();
} catch (error) {
  const exitCode = exitCodeOf(error);
  if (exitCode === undefined) process.stderr.write(`${describe(error)}\n`);
  process.exitCode = exitCode ?? 1;
}

/** A refused configuration names its file in each line; everything else says who speaks. */
function describe(error: unknown): string {
  if (error instanceof SettingsError) return error.message;
  return `mayfly: ${error instanceof Error ? error.message : 'an unknown failure'}`;
}
