// A timestamp authority whose root and certificate OpenSSL made, so that nothing of Mayfly vouches for itself.

import { execFileSync } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.ts';
import type { Bytes } from '../../../src/encoding/bytes.ts';
import { decodePem } from '../../../src/encoding/pem.ts';
import type { Signer, SigningAlgorithm } from '../../../src/key/signer.ts';
import { TimestampAuthority, type TimestampAuthorityOptions } from '../../../src/timestamp/authority.ts';

const KEYS: Readonly<
  Record<SigningAlgorithm, { readonly newkey: readonly string[]; readonly hash?: string }>
> = {
  'ecdsa-p256-sha256': { newkey: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], hash: 'sha256' },
  'ecdsa-p384-sha384': { newkey: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], hash: 'sha384' },
  'ecdsa-p521-sha512': { newkey: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521'], hash: 'sha512' },
  'rsa-pkcs1-sha256': { newkey: ['rsa:2048'], hash: 'sha256' },
  ed25519: { newkey: ['ed25519'] },
};

export interface ChainOptions {
  readonly algorithm?: SigningAlgorithm;
  /** OpenSSL's `extendedKeyUsage`. */
  readonly usage?: string;
  readonly constraints?: string;
  readonly intermediate?: boolean;
}

export interface TestChain {
  readonly directory: string;
  readonly signer: Signer;
  /** Leaf first, root last. */
  readonly chain: readonly Bytes[];
  /** Runs OpenSSL in the directory, which has `root.crt` and `tsa.crt`; returns what it prints. */
  openssl(...args: readonly string[]): string;
}

/** A chain in a directory of its own; `remove` it, or use `testChain` inside a test. */
export function makeChain(options: ChainOptions = {}): TestChain & { remove(): void } {
  const {
    algorithm = 'ecdsa-p256-sha256',
    usage = 'critical,timeStamping',
    constraints,
    intermediate,
  } = options;
  const directory = mkdtempSync(join(tmpdir(), 'mayfly-tsa-'));
  const openssl = (...args: readonly string[]): string =>
    execFileSync('openssl', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const make = (
    name: string,
    newkey: readonly string[],
    issuer: string | undefined,
    ...extensions: string[]
  ) => {
    const under = issuer === undefined ? [] : ['-CA', `${issuer}.crt`, '-CAkey', `${issuer}.key`];
    const added = extensions.flatMap((extension) => ['-addext', extension]);
    openssl(
      ...['req', '-x509', '-nodes', '-days', '30', '-config', 'empty.cnf', '-subj', `/O=Test/CN=${name}`],
      ...['-newkey', ...newkey, '-keyout', `${name}.key`, '-out', `${name}.crt`, ...under, ...added],
    );
  };
  writeFileSync(join(directory, 'empty.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n');
  const ca = 'basicConstraints=critical,CA:TRUE';
  const p256 = KEYS['ecdsa-p256-sha256'].newkey;
  make('root', p256, undefined, ca, 'keyUsage=critical,keyCertSign');
  if (intermediate === true) make('middle', p256, 'root', ca, 'keyUsage=critical,keyCertSign');
  const issuer = intermediate === true ? 'middle' : 'root';
  make(
    'tsa',
    KEYS[algorithm].newkey,
    issuer,
    'keyUsage=critical,digitalSignature',
    ...(usage === '' ? [] : [`extendedKeyUsage=${usage}`]),
    `basicConstraints=${constraints ?? 'CA:FALSE'}`,
  );
  const names = intermediate === true ? ['tsa', 'middle', 'root'] : ['tsa', 'root'];
  return {
    directory,
    signer: keySigner(readFileSync(join(directory, 'tsa.key'), 'utf8'), algorithm),
    chain: names.map((name) => certificate(join(directory, `${name}.crt`))),
    openssl,
    remove: () => rmSync(directory, { recursive: true }),
  };
}

export function testChain(options: ChainOptions = {}): TestChain {
  const made = makeChain(options);
  onTestFinished(made.remove);
  return made;
}

export function keySigner(pem: string, algorithm: SigningAlgorithm): Signer {
  const key = createPrivateKey(pem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    algorithm,
    publicKey: new Uint8Array(publicKey),
    sign: (message) => new Uint8Array(sign(KEYS[algorithm].hash ?? null, message, key)),
  };
}

export function authorityOf(
  { signer, chain }: Pick<TestChain, 'signer' | 'chain'>,
  options: Partial<TimestampAuthorityOptions> = {},
): TimestampAuthority {
  return new TimestampAuthority({
    signer,
    chain,
    sha256,
    random: (length) => new Uint8Array(randomBytes(length)),
    clock: systemClock,
    ...options,
  });
}

export const sha256 = (data: Uint8Array): Bytes => new Uint8Array(createHash('sha256').update(data).digest());

/** A clock that shows what it is set to. */
export function settableClock(milliseconds: number): Clock & { set(milliseconds: number): void } {
  let current = milliseconds;
  const now: Clock['now'] = () => current as ReturnType<Clock['now']>;
  return {
    now,
    set: (next) => {
      current = next;
    },
  };
}

function certificate(path: string): Bytes {
  const [block] = decodePem(readFileSync(path, 'utf8'));
  if (block === undefined) throw new Error('no certificate');
  return block.der;
}
