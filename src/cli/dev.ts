// dev: a whole instance for a developer's machine, with an issuer that mints any token.

import { Command, InvalidArgumentError, Option } from 'commander';
import { type DevShape, SHAPES } from '../dev/shape.ts';
import { devIssuers, startDevIssuer } from '../node/dev-issuer.ts';
import { startService } from '../node/service.ts';
import { loadKinds } from '../node/settings/shipped-configuration.ts';
import { createLogger } from '../node/system/logger.ts';
import { invocation } from './invocation.ts';
import { addServeFlags, loadSettings, portNumber, type ServeFlags } from './options.ts';
import { closeOnSignal, SERVE_EXIT_CODES } from './serve.ts';

const ISSUER_PORT = 5556;
/** Not the folder of serve, which refuses what dev made. */
const DATA = './mayfly-dev-data';
const LOOPBACK = '127.0.0.1';

interface DevFlags extends ServeFlags {
  issuerPort: number;
}

export function devCommand(): Command {
  const command = addServeFlags(
    new Command('dev').description('serve a development instance with an OIDC issuer that mints any token'),
    DATA,
  )
    .option(
      '--issuer-port <n>',
      'port of the development issuer, always on loopback',
      portNumber,
      ISSUER_PORT,
    )
    .addHelpText('after', SERVE_EXIT_CODES)
    .action(dev);
  return command.addCommand(tokenCommand());
}

async function dev(flags: DevFlags): Promise<void> {
  const kinds = loadKinds();
  const { settings } = loadSettings({ ...flags, data: flags.data ?? DATA }, kinds);
  if (!LOOPBACK_HOSTS.has(settings.host)) {
    throw new Error(
      'dev listens on loopback only, as anyone can mint its tokens; use serve for other addresses',
    );
  }
  if (settings.workers > 1)
    throw new Error('dev is one process: leave workers out of its configuration, or set it to 1');
  await using opened = new AsyncDisposableStack(); // closes the issuer when the instance cannot start
  const issuer = await startDevIssuer(flags.issuerPort);
  opened.defer(() => issuer.server.close());
  const service = await startService({
    settings: { ...settings, issuers: [...settings.issuers, ...devIssuers(issuer.url, kinds)] },
    kind: 'dev',
    ephemeral: flags.ephemeral === true,
    logger: createLogger(settings.logLevel),
  });
  opened.move();
  closeOnSignal(service, settings.drainDelayMs, () => issuer.server.close());
  process.stdout.write(
    [
      `Mayfly dev is ready at ${service.url}`,
      `  tokens   ${issuer.url}/ or: ${invocation()} dev token`,
      `  log      ${service.url}/log/checkpoint`,
      `  metrics  ${service.metricsUrl}`,
      '',
      'Issue a certificate:',
      `  ${invocation()} demo --instance ${service.url} --issuer ${issuer.url}`,
      'Sign a file:',
      `  ${invocation()} sign FILE --instance ${service.url}`,
      '',
    ].join('\n'),
  );
}

const LOOPBACK_HOSTS = new Set([LOOPBACK, 'localhost', '::1']);

interface TokenFlags {
  issuer: string;
  shape: DevShape;
  claims?: string;
}

function tokenCommand(): Command {
  return new Command('token')
    .description('print a token of a running development instance')
    .option('--issuer <url>', 'the development issuer', `http://${LOOPBACK}:${ISSUER_PORT}`)
    .addOption(
      new Option('--shape <name>', 'whose token it resembles').choices(Object.keys(SHAPES)).default('github'),
    )
    .option('--claims <json>', 'claims laid over those of the shape', jsonObject)
    .addHelpText('after', '\nExit codes: 0 printed, 1 no issuer answers, 2 wrong use')
    .action(async ({ issuer, shape, claims }: TokenFlags) => {
      process.stdout.write(`${await fetchDevToken(issuer, shape, claims)}\n`);
    });
}

function jsonObject(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return text;
  } catch {
    // told below
  }
  throw new InvalidArgumentError('claims are one JSON object, such as \'{"ref":"refs/heads/dev"}\'');
}

export async function fetchDevToken(issuer: string, shape: DevShape, claims = '{}'): Promise<string> {
  let response: Response;
  try {
    response = await fetch(`${issuer}/${shape}/token`, {
      method: 'POST',
      body: new URLSearchParams({ claims }),
    });
  } catch (cause) {
    throw new Error(`no development issuer answers at ${issuer}; start one with: npm start`, { cause });
  }
  if (!response.ok) throw new Error(`the development issuer answered ${response.status}`);
  return response.text();
}
