// issuer check: whether an OpenID issuer can be used from here, and the entry for it.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { systemClock } from '../clock.ts';
import { draftLines, guessKind, type IssuerDraft } from '../config/issuer-draft.ts';
import { narrowing } from '../config/public-issuer.ts';
import { type ConfiguredIssuer, parseSettings } from '../config/settings.ts';
import { identify } from '../identity/identity.ts';
import { type IssuerProbe, probeIssuer } from '../node/issuer-probe.ts';
import { loadKinds } from '../node/settings/shipped-configuration.ts';
import { NodeFetcher } from '../node/system/fetcher.ts';
import { Problem } from '../problem.ts';
import type { Claims } from '../token/claims.ts';
import { type Issuer, IssuerDirectory } from '../token/issuer.ts';
import { IssuerFault } from '../token/issuer-fault.ts';
import { IssuerKeys } from '../token/issuer-keys.ts';
import { parseToken, type UnverifiedToken } from '../token/unverified-token.ts';
import { leeway } from '../token/validity.ts';
import { authenticate } from '../token/verified-token.ts';
import { addGivenToken, type GivenToken, givenToken } from './given-token.ts';
import { addOutcome, EXIT_FOUND_WRONG, type JsonFlag, type Outcome, patiently, tell } from './outcome.ts';

interface CheckFlags extends JsonFlag, GivenToken {
  caCert?: string;
  type?: string;
}

export function checkCommand(): Command {
  const described = new Command('check')
    .description('fetch what an OpenID issuer publishes, verify a token of it, and print the entry to add')
    .argument('<url>', 'the iss of its tokens, exactly');
  const command = addGivenToken(described, 'a token to verify')
    .option('--ca-cert <file>', "PEM certificates for the issuer's TLS server, beside the system's")
    .option('--type <type>', 'how claims become an identity (default: what the URL or the token suggest)');
  return addOutcome(
    command,
    'it can be used',
    'it cannot be used as it is, or the token does not verify',
  ).action((url: string, flags: CheckFlags) => tell(flags, () => check(url, flags)));
}

async function check(url: string, flags: CheckFlags): Promise<Outcome> {
  if (!URL.canParse(url)) throw new Error(`${url} is no URL; it takes the iss of the tokens, exactly`);
  const { caCert: caFile } = flags;
  const caCert = caFile === undefined ? undefined : readText(caFile);
  const token = givenToken(flags);
  const unverified = token === undefined ? undefined : parsed(token);
  const issuer: Issuer = { name: url, url, wildcard: false, audiences: [], ...(caCert && { caCert }) };
  const fetcher = new NodeFetcher();
  let probe: IssuerProbe;
  try {
    probe = await patiently(`asking ${url}`, probeIssuer(issuer, fetcher));
  } catch (failure) {
    if (!(failure instanceof IssuerFault)) throw failure;
    const { code, message } = failure;
    return {
      lines: [`${printable(url)} cannot be used from here.`, `  ${printable(message)}`, ...adviceOn(failure)],
      object: { ok: false, issuer: url, fault: { code, message } },
      exitCode: EXIT_FOUND_WRONG,
    };
  }
  const draft = draftOf(url, flags, unverified);
  const entry = draftLines(draft);
  const lines = [...probeLines(url, probe)];
  const usable = probe.keys.some((key) => key.usable) && probe.algorithms.length > 0;
  const about = token === undefined ? undefined : await verdictOn(token, unverified, draft, url);
  if (about !== undefined) lines.push('', ...about.lines);
  const ok = usable && !isFarOff(probe.clockAhead) && (about === undefined || about.ok);
  lines.push(
    '',
    'The entry for it, under issuers:',
    ...entry.map((line) => `  ${line}`),
    ...warningOf(draft),
  );
  return {
    lines,
    object: { ok, issuer: url, ...probe, ...(about && { token: about.object }), entry: entry.join('\n') },
    exitCode: ok ? 0 : EXIT_FOUND_WRONG,
  };
}

function probeLines(url: string, probe: IssuerProbe): readonly string[] {
  const { discoveryUrl, jwksUri, algorithms, keys, clockAhead } = probe;
  const none = 'none that is accepted here';
  return [
    printable(url),
    `  discovery   ${discoveryUrl}, and it names this issuer`,
    `  key set     ${printable(jwksUri)}`,
    `  algorithms  ${algorithms.length === 0 ? none : algorithms.join(', ')}`,
    ...keys.map(
      ({ kid, kind, alg, usable }, i) =>
        `  ${i === 0 ? 'keys      ' : '          '}  ${printable(kid ?? '(no kid)')}  ${printable(kind)}${alg === undefined ? '' : `, ${printable(alg)}`}${usable ? '' : '  not used here'}`,
    ),
    ...(keys.length === 0 ? [`  keys        none`] : []),
    `  clock       ${clockWords(clockAhead)}`,
  ];
}

function clockWords(ahead: number | undefined): string {
  if (ahead === undefined) return 'not told';
  const seconds = Math.abs(ahead) / 1000;
  if (seconds <= 2) return 'the same as here';
  const side = ahead > 0 ? 'ahead of' : 'behind';
  return `${seconds} s ${side} the one here${effectOf(ahead)}`;
}

function effectOf(ahead: number): string {
  if (isFarOff(ahead))
    return ahead > 0
      ? ': its tokens are refused as not valid yet'
      : ': short-lived tokens have expired when they come';
  return ahead < -30_000 ? ': tokens expire early' : '';
}

/** By more than tokens are forgiven. */
function isFarOff(ahead = 0): boolean {
  return Math.abs(ahead) > leeway;
}

interface Verdict {
  readonly ok: boolean;
  readonly lines: readonly string[];
  readonly object: object;
}

async function verdictOn(
  token: string,
  unverified: UnverifiedToken | Problem | undefined,
  draft: IssuerDraft,
  url: string,
): Promise<Verdict> {
  if (unverified instanceof Problem) return refused(unverified, undefined);
  if (unverified !== undefined && unverified.iss !== url) {
    const words = `its iss is another: ${unverified.iss}`;
    return {
      ok: false,
      lines: [`The token is not of this issuer: ${printable(words)}`],
      object: { ok: false, message: words },
    };
  }
  const configured = configuredOf(draft);
  const keysets = new IssuerKeys({ fetcher: new NodeFetcher(), clock: systemClock });
  try {
    const directory = new IssuerDirectory([configured.issuer]);
    const verified = await authenticate(token, directory, keysets, systemClock.now());
    const identity = identify(verified, new Map([[configured.issuer, configured.provider]]));
    const { value } = identity.san;
    return {
      ok: true,
      lines: [
        'The token is good: signed by one of these keys, and valid now.',
        ...claimLines(verified.claims),
        `A certificate for it would name ${printable(value)}`,
      ],
      object: { ok: true, claims: Object.fromEntries(verified.claims), subject: value },
    };
  } catch (failure) {
    if (failure instanceof Problem) return refused(failure, unverified);
    throw failure;
  }
}

function refused(problem: Problem, unverified: UnverifiedToken | undefined): Verdict {
  const { reason, message } = problem;
  const hint = problem.hint ?? message;
  return {
    ok: false,
    lines: [
      `The token would be refused: ${reason}. ${printable(hint)}`,
      ...(unverified === undefined ? [] : claimLines(unverified.claims)),
    ],
    object: {
      ok: false,
      reason,
      message: hint,
      ...(unverified !== undefined && { unverifiedClaims: Object.fromEntries(unverified.claims) }),
    },
  };
}

function claimLines(claims: Claims): readonly string[] {
  const width = Math.max(...Array.from(claims.keys(), (name) => name.length));
  return Array.from(claims, ([name, value]) => {
    const time = TIMES.has(name) && typeof value === 'number' ? ` (${timeOf(value)})` : '';
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `  ${printable(name.padEnd(width))}  ${printable(text)}${time}`;
  });
}

const TIMES = new Set(['exp', 'iat', 'nbf', 'auth_time']);

function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? 'no date' : date.toISOString();
}

function draftOf(
  url: string,
  { type, caCert }: CheckFlags,
  unverified: UnverifiedToken | Problem | undefined,
): IssuerDraft {
  const claims = unverified instanceof Problem ? undefined : unverified?.claims;
  const { kind, known } = guessKind(url, claims);
  const tenant = known.claim === undefined ? undefined : claims?.get(known.claim);
  const require = new Map(
    known.claim !== undefined && tenant !== undefined ? [[known.claim, [String(tenant)]] as const] : [],
  );
  return {
    name: type ?? kind,
    url,
    audience: audienceIn(claims),
    type: type ?? known.type,
    require,
    allowAny: true,
    ...(caCert !== undefined && { caCert }),
  };
}

function audienceIn(claims: Claims | undefined): string {
  const aud = claims?.get('aud');
  const [first] = Array.isArray(aud) ? aud : [aud];
  return typeof first === 'string' && first !== '' ? first : 'sigstore';
}

/** Throws SettingsError for a type that does not fit. */
function configuredOf(draft: IssuerDraft): ConfiguredIssuer {
  const text = `issuers:\n${draftLines(draft).join('\n')}\n`;
  const options = { fileName: 'the entry', kinds: loadKinds(), readFile: readText };
  const [configured] = parseSettings(text, options).settings.issuers;
  if (configured === undefined) throw new Error('the entry holds no issuer');
  return configured;
}

function warningOf({ url, require }: IssuerDraft): readonly string[] {
  const remedy = require.size === 0 ? narrowing(url) : undefined;
  return remedy === undefined
    ? []
    : ['', `Anybody can have an account there: instead of allow-any, ${remedy}.`];
}

function adviceOn({ code }: IssuerFault): readonly string[] {
  const advice = ADVICE[code];
  return advice === undefined ? [] : [`  ${advice}`];
}

const ADVICE: Partial<Record<IssuerFault['code'], string>> = {
  tls_failed: 'Where its certificate is of a private CA, give that with --ca-cert.',
  issuer_differs: 'The issuer must be spelled as in the document, to the final slash.',
  address_refused: 'A key set at a private address needs its host under jwks-hosts.',
  status_not_ok: 'Where it has no discovery document, an entry can name its keys: jwks-uri, or jwks.',
};

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`${file} cannot be read`, { cause });
  }
}

function parsed(token: string): UnverifiedToken | Problem {
  try {
    return parseToken(token);
  } catch (failure) {
    if (failure instanceof Problem) return failure;
    throw failure;
  }
}
