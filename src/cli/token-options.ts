// Token options: how sign and attest come to an identity token, and open a session with it.

import type { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { ClientError } from '../client/client-error.ts';
import { SigningSession } from '../client/session.ts';
import { type InstanceFlags, instanceOf } from './client-options.ts';

export interface TokenFlags extends InstanceFlags {
  identityToken?: string;
  audience?: string;
  browser?: boolean;
  device?: boolean;
  loginIssuer?: string;
}

export function addTokenFlags(command: Command): Command {
  return command
    .option(
      '--identity-token <token>',
      'an OIDC token, a file that holds one, or - for standard input (default: the one that the CI or cloud offers, else a sign-in)',
    )
    .option('--audience <name>', 'the audience to ask a token for (default: what the instance says)')
    .option('--browser', 'sign in with the browser of this machine')
    .option('--device', 'sign in on any device, with a code')
    .option('--login-issuer <url>', 'where to sign in (default: what the instance says)');
}

export function openSession(flags: TokenFlags): Promise<SigningSession> {
  const { identityToken, audience, browser, device, loginIssuer } = flags;
  if (browser === true && device === true)
    throw new ClientError('usage', '--browser and --device are two ways to sign in: give one');
  return SigningSession.open(instanceOf(flags), {
    env: process.env,
    attended: process.stdin.isTTY === true && process.stderr.isTTY === true,
    tell: (line) => process.stderr.write(`${printable(line)}\n`),
    ...(identityToken === undefined ? {} : { given: identityToken }),
    ...(audience === undefined ? {} : { audience }),
    ...(browser === true ? { flow: 'browser' } : device === true ? { flow: 'device' } : {}),
    ...(loginIssuer === undefined ? {} : { loginIssuer }),
  });
}
