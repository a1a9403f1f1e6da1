import { execFile } from 'node:child_process';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process, { execPath } from 'node:process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { instantOf } from '../../../src/clock.ts';
import { hex } from '../../../src/encoding/bytes.ts';
import { encodePem } from '../../../src/encoding/pem.ts';
import { InstanceError } from '../../../src/node/keys/data-folder.ts';
import {
  ephemeralInstance,
  type Instance,
  type InstanceOptions,
  openInstance,
} from '../../../src/node/keys/instance.ts';
import { type Kind, keyPair } from '../../vectors/key-pairs.ts';
import { makePair, NOW } from '../certificate/made-chain.ts';
import { optionsOf } from './instance-options.ts';

const FILES = [
  'ca/intermediate.key',
  'ca/intermediate.pem',
  'ca/root.key',
  'ca/root.pem',
  'instance.json',
  'log/log.key',
  'log/note.key',
  'timestamp/chain.pem',
  'timestamp/timestamp.key',
];
const KEYS = FILES.filter((name) => name.endsWith('.key'));

let base: string;
let folder: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'mayfly-instance-'));
  folder = join(base, 'data');
});
afterEach(() => rm(base, { recursive: true }));

const start = (options: Partial<InstanceOptions> = {}): Promise<Instance> =>
  openInstance({ ...optionsOf('serve'), folder, ...options });

async function refusal(options: Partial<InstanceOptions> = {}): Promise<InstanceError> {
  const error: unknown = await start(options).catch((thrown: unknown) => thrown);
  if (error instanceof InstanceError) return error;
  throw error;
}

async function list(at = folder): Promise<string[]> {
  const entries = await readdir(at, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(at.length + 1)).sort();
}

const contents = async (): Promise<Map<string, string>> =>
  new Map(
    await Promise.all(FILES.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );

const keysOf = ({ authority, logSigner, noteSigner, timestamp }: Instance): string[] =>
  [authority.signer, logSigner, noteSigner, timestamp?.signer].flatMap((signer) =>
    signer ? [hex(signer.publicKey)] : [],
  );

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

describe('first start', () => {
  test('makes root, intermediate and log keys, for the owner alone', async () => {
    const instance = await start();
    expect(await list()).toEqual(FILES);
    for (const name of ['', 'ca', 'log', 'timestamp']) expect(await modeOf(join(folder, name))).toBe(0o700);
    for (const name of FILES) expect(await modeOf(join(folder, name))).toBe(0o600);
    expect(instance.folder).toBe(folder);
    expect(instance.warnings).toEqual([]);
    expect(instance.authority.chain).toHaveLength(2);
    expect(instance.authority.signer.algorithm).toBe('ecdsa-p256-sha256');
    expect(instance.logSigner.algorithm).toBe('ecdsa-p256-sha256');
    expect(instance.noteSigner.algorithm).toBe('ed25519');
  });

  test('all keys are distinct', async () => {
    await start();
    const files = await contents();
    expect(new Set(KEYS.map((name) => files.get(name))).size).toBe(5);
  });

  test('the next start changes nothing', async () => {
    const first = await start();
    const before = await contents();
    const second = await start();
    expect(keysOf(second)).toEqual(keysOf(first));
    expect(second.authority.pem).toEqual(first.authority.pem);
    expect(await contents()).toEqual(before);
  });

  test('P-384 on request, for both CA keys', async () => {
    const { authority, logSigner } = await start({ curve: 'P-384' });
    expect(authority.signer.algorithm).toBe('ecdsa-p384-sha384');
    expect(logSigner.algorithm).toBe('ecdsa-p256-sha256');
  });

  test('names can be given, and a development CA says what it is', async () => {
    const names = { organization: 'Example', root: 'R1', intermediate: 'I1', timestamp: 'T1' };
    const given = await ephemeralInstance({ ...optionsOf('serve'), names });
    expect(Buffer.from(given.authority.issuerName).toString('latin1')).toMatch(/Example.*I1$/);
    const dev = await ephemeralInstance(optionsOf('dev'));
    expect(Buffer.from(dev.authority.issuerName).toString('latin1')).toContain('untrusted');
  });

  test('in an empty folder that is there, and below folders that are not', async () => {
    await mkdir(folder);
    await start();
    const deep = join(base, 'a', 'b', 'c');
    await start({ folder: deep });
    expect(await list(deep)).toEqual(FILES);
    expect(await modeOf(join(base, 'a'))).toBe(0o700);
  });

  test('in a folder that holds something else', async () => {
    await mkdir(join(folder, 'lost+found'), { recursive: true });
    await mkdir(join(folder, 'log'));
    await start();
    expect(await list()).toEqual(FILES);
  });
});

describe('the root key taken away', () => {
  test('everything starts as before', async () => {
    const first = await start();
    await rm(join(folder, 'ca/root.key'));
    const second = await start();
    expect(keysOf(second)).toEqual(keysOf(first));
    expect(await list()).toEqual(FILES.filter((name) => name !== 'ca/root.key'));
  });

  test('it is not even read', async () => {
    await start();
    await writeFile(join(folder, 'ca/root.key'), 'not a key');
    expect((await start()).warnings).toEqual([]);
  });
});

describe('a passphrase', () => {
  const passphrase = 'correct horse';

  test('encrypts every key, and is needed after that', async () => {
    const first = await start({ passphrase });
    const files = await contents();
    for (const name of KEYS) expect(files.get(name)).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
    expect(keysOf(await start({ passphrase }))).toEqual(keysOf(first));
    const missing = await refusal();
    expect(missing.code).toBe('key_unreadable');
    expect(missing.message).toBe(
      `${folder}/ca/intermediate.key: it is encrypted, and no passphrase was given`,
    );
    const wrong = await refusal({ passphrase: 'wrong' });
    expect(wrong.code).toBe('key_unreadable');
    expect(wrong.message).toContain('the passphrase is wrong');
  });

  test('for keys that are not encrypted is a warning', async () => {
    await start();
    const { warnings } = await start({ passphrase });
    expect(warnings).toHaveLength(4);
    expect(warnings[0]).toBe(`${folder}/ca/intermediate.key is not encrypted, although a passphrase is set`);
  });

  test('that is empty is a mistake, found before anything is made', async () => {
    expect((await refusal({ passphrase: '' })).code).toBe('passphrase_empty');
    await expect(stat(folder)).rejects.toThrow('ENOENT');
  });
});

describe('kinds', () => {
  test.each([
    ['dev', 'serve', /made by "mayfly dev", whose tokens anyone can mint/],
    ['serve', 'dev', /belongs to "mayfly serve"/],
  ] as const)('what %s made, %s refuses and leaves alone', async (first, second, sentence) => {
    await start({ kind: first });
    const before = await contents();
    const error = await refusal({ kind: second });
    expect(error.code).toBe('kind_mismatch');
    expect(error.message).toMatch(sentence);
    expect(error.message).toContain(folder);
    expect(await contents()).toEqual(before);
    await start({ kind: first });
  });

  test('an unfinished first start of dev is not finished by serve', async () => {
    await run(folder, 'dev', 12);
    expect((await refusal({ kind: 'serve' })).code).toBe('kind_mismatch');
  });
});

describe('what was lost is not made anew', () => {
  test.each(FILES.filter((name) => !['instance.json', 'ca/root.key'].includes(name)))('%s', async (name) => {
    await start();
    await rm(join(folder, name));
    const error = await refusal();
    expect(error.code).toBe('file_missing');
    expect(error.message).toContain(join(folder, name));
    expect(await list()).not.toContain(name);
  });

  test.each(['ca', 'log'])('the whole of %s/', async (part) => {
    await start();
    await rm(join(folder, part), { recursive: true });
    expect((await refusal()).code).toBe('file_missing');
    expect(await readdir(folder)).not.toContain(part);
  });

  test('instance.json', async () => {
    await start();
    const before = await list();
    await rm(join(folder, 'instance.json'));
    const error = await refusal();
    expect(error.code).toBe('marker_missing');
    expect(error.message).toContain('restore instance.json from a backup');
    expect(await list()).toEqual(before.filter((name) => name !== 'instance.json'));
  });

  test.each(['', '{', '{"version":2,"kind":"serve","made":[]}', '{"version":1,"kind":"prod","made":[]}'])(
    'instance.json with %j in it',
    async (text) => {
      await start();
      await writeFile(join(folder, 'instance.json'), text);
      expect((await refusal()).code).toBe('marker_malformed');
    },
  );
});

describe('damage', () => {
  test('keys exchanged', async () => {
    await start();
    await rename(join(folder, 'log/log.key'), join(folder, 'ca/intermediate.key'));
    await cp(join(folder, 'ca/root.key'), join(folder, 'log/log.key'));
    const error = await refusal();
    expect(error.code).toBe('chain_unusable');
    expect(error.message).toContain('the private key is not the one of the first certificate');
  });

  test('one key for two purposes', async () => {
    await start();
    await cp(join(folder, 'ca/intermediate.key'), join(folder, 'log/log.key'));
    expect((await refusal()).code).toBe('keys_shared');
  });

  test('a certificate cut off', async () => {
    await start();
    const file = join(folder, 'ca/intermediate.pem');
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, 300));
    const error = await refusal();
    expect(error.code).toBe('chain_unusable');
    expect(error.message).toContain(file);
  });

  test('after three years the sentence says what expired', async () => {
    await start();
    const late = { now: () => instantOf(Date.now() + 4 * 365 * 86_400_000) };
    const error = await refusal({ clock: late });
    expect(error.code).toBe('chain_unusable');
    expect(error.message).toMatch(/Mayfly intermediate\) expired at \d{4}-/);
  });

  test('a file where the folder should be', async () => {
    await writeFile(folder, '');
    expect((await refusal()).code).toBe('folder_unusable');
  });
});

test('files and folders open to others are warned of, and work', async () => {
  await start();
  await chmod(folder, 0o755);
  await chmod(join(folder, 'ca/intermediate.key'), 0o640);
  await chmod(join(folder, 'ca/intermediate.pem'), 0o644);
  const { warnings } = await start();
  expect(warnings).toEqual([
    `${folder} is open to others than its owner (mode 0755): it holds secrets`,
    `${folder}/ca/intermediate.key is open to others than its owner (mode 0640): it holds secrets`,
  ]);
});

describe('the timestamp authority', () => {
  test("stands under the instance's root", async () => {
    const { authority, timestamp } = await start();
    expect(timestamp?.chain).toHaveLength(2);
    expect(timestamp?.chain[1]).toEqual(authority.chain[1]);
  });

  test('is made later while the root key is there, and done without once it is gone', async () => {
    await start();
    const forget = async (): Promise<void> => {
      await rm(join(folder, 'timestamp'), { recursive: true });
      const marker = JSON.parse(await readFile(join(folder, 'instance.json'), 'utf8'));
      await writeFile(join(folder, 'instance.json'), JSON.stringify({ ...marker, made: ['ca', 'log'] }));
    };
    await forget();
    expect((await start()).timestamp).toBeDefined();
    await forget();
    await rm(join(folder, 'ca/root.key'));
    const { timestamp, warnings } = await start();
    expect(timestamp).toBeUndefined();
    expect(warnings.join()).toContain('timestamp authority');
  });
});

describe('an existing CA', () => {
  async function write(kind: Kind = 'P-256', passphrase?: string, shape = {}) {
    const { issuing, chain } = makePair({ key: keyPair(kind).privateKey, ...shape });
    const [chainFile, keyFile] = [join(base, 'chain.pem'), join(base, 'ca.key')];
    await writeFile(chainFile, chain.map((bytes) => encodePem('CERTIFICATE', bytes)).join(''));
    const plain = { type: 'pkcs8', format: 'pem' } as const;
    const encrypted = passphrase === undefined ? plain : { ...plain, cipher: 'aes-256-cbc', passphrase };
    await writeFile(keyFile, issuing.key.export(encrypted), { mode: 0o600 });
    return {
      chain,
      ca: { chain: chainFile, key: keyFile, ...(passphrase === undefined ? {} : { passphrase }) },
    };
  }

  test.each(['P-256', 'P-384', 'P-521', 'RSA-2048', 'RSA-4096', 'Ed25519'] as const)('%s', async (kind) => {
    const { chain, ca } = await write(kind);
    const clock = { now: () => NOW };
    const { authority, warnings } = await start({ ca, clock });
    expect(authority.chain).toEqual(chain);
    expect(warnings).toEqual([]);
    expect(await list()).toEqual(['instance.json', ...FILES.filter((name) => /^(log|timestamp)/.test(name))]);
    const memory = await ephemeralInstance({ ...optionsOf('serve'), ca, clock });
    expect(memory.authority.chain).toEqual(chain);
    expect(memory.folder).toBeUndefined();
  });

  test('with a passphrase of its own', async () => {
    const { ca } = await write('P-256', 'secret');
    const clock = { now: () => NOW };
    await start({ ca, clock, passphrase: 'another' });
    const error = await refusal({ ca: { ...ca, passphrase: 'wrong' }, clock, passphrase: 'another' });
    expect(error.message).toMatch(/ca\.key: it could not be decrypted/);
  });

  test('open to others is a warning', async () => {
    const { ca } = await write();
    await chmod(ca.key, 0o644);
    expect((await start({ ca, clock: { now: () => NOW } })).warnings).toEqual([
      `${ca.key} is open to others than its owner (mode 0644): it holds secrets`,
    ]);
  });

  test('without its root is a warning', async () => {
    const { ca } = await write('P-256');
    const pem = await readFile(ca.chain, 'utf8');
    await writeFile(ca.chain, pem.slice(0, pem.indexOf('-----BEGIN', 10)));
    const { warnings } = await start({ ca, clock: { now: () => NOW } });
    expect(warnings[0]).toMatch(/does not end in a root but in O=Test, CN=intermediate/);
  });

  test('that breaks a rule is refused with the file and the rule', async () => {
    const { ca } = await write('P-256', undefined, { purposes: ['1.3.6.1.5.5.7.3.1'] });
    const error = await refusal({ ca, clock: { now: () => NOW } });
    expect(error.code).toBe('chain_unusable');
    expect(error.message).toBe(
      `${ca.chain}: certificate 1 of 2 (O=Test, CN=intermediate) has to list the extended key usage codeSigning`,
    );
  });

  test('whose files are missing', async () => {
    const { ca } = await write();
    expect((await refusal({ ca: { ...ca, key: join(base, 'none') } })).code).toBe('file_missing');
    expect((await refusal({ ca: { ...ca, chain: join(base, 'none') } })).code).toBe('file_missing');
  });

  test('left out again: the instance makes its own', async () => {
    const { ca } = await write();
    await start({ ca, clock: { now: () => NOW } });
    await start();
    expect(await list()).toEqual(FILES);
  });
});

test('in memory: fresh keys each time, and no file', async () => {
  const [first, second] = [
    await ephemeralInstance(optionsOf('dev')),
    await ephemeralInstance(optionsOf('dev')),
  ];
  expect(new Set([...keysOf(first), ...keysOf(second)]).size).toBe(8);
  expect(await readdir(base)).toEqual([]);
});

describe('crash and race', () => {
  test('killed before a change to the disk, whichever it is, the next start completes', {
    timeout: 120_000,
  }, async () => {
    const { changes } = await run(folder, 'serve', 0).then(parse);
    expect(changes).toBeGreaterThan(20);
    const step = process.env['MAYFLY_TESTS_FULL'] === undefined ? 3 : 1;
    for (let i = 2; i <= changes; i += step) {
      const at = join(base, `killed-${i}`);
      expect((await run(at, 'serve', i)).signal).toBe('SIGKILL');
      const left = (await listed(at)).filter((name) => name !== 'instance.json');
      const kept = await textsOf(at, left);
      await start({ folder: at });
      expect(await textsOf(at, left)).toEqual(kept);
      expect(await listed(at)).toEqual(FILES);
    }
  });

  test('leavings of a crash go, once they cannot be the work of another process', async () => {
    await start();
    const [old, fresh] = [join(folder, '.new-aaaaaa'), join(folder, '.new-bbbbbb')];
    for (const staged of [old, fresh]) {
      await mkdir(staged);
      await writeFile(join(staged, 'root.key'), 'secret');
    }
    const then = Date.now() / 1000 - 61;
    await utimes(old, then, then);
    await start();
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual(['.new-bbbbbb']);
  });

  test('several first starts at once end with one and the same material', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => start()));
    const [first, ...others] = all.map((instance) => [keysOf(instance), instance.authority.pem]);
    for (const other of others) expect(other).toEqual(first);
    expect(await list()).toEqual(FILES);
    expect(JSON.parse((await contents()).get('instance.json') ?? '')).toMatchObject({
      made: ['ca', 'log', 'timestamp'],
    });
  });

  test('so do several processes', async () => {
    const all = await Promise.all([1, 2, 3].map(() => run(folder, 'serve', 0)));
    const [first, ...others] = all.map(parse);
    for (const other of others) expect({ ...other, changes: 0 }).toEqual({ ...first, changes: 0 });
    expect(await list()).toEqual(FILES);
  });

  test('of dev and serve at once, one gets the folder', async () => {
    const both = await Promise.allSettled([start({ kind: 'dev' }), start({ kind: 'serve' })]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = both.find(({ status }) => status === 'rejected');
    expect(refused).toMatchObject({ reason: { code: 'kind_mismatch' } });
  });

  const listed = async (at: string): Promise<string[]> =>
    (await list(at)).filter((name) => !name.startsWith('.'));
  const textsOf = (at: string, names: readonly string[]): Promise<string[]> =>
    Promise.all(names.map((name) => readFile(join(at, name), 'utf8')));
});

interface Outcome {
  readonly signal: string | null;
  readonly output: string;
}

function run(at: string, kind: string, changes: number): Promise<Outcome> {
  const script = new URL('first-start.ts', import.meta.url).pathname;
  return new Promise((resolve) => {
    const child = execFile(execPath, [script, at, kind, String(changes)], (error, stdout, stderr) => {
      const signal = child.signalCode;
      if (error !== null && signal === null) throw new Error(stderr);
      resolve({ signal, output: stdout });
    });
  });
}

const parse = ({ output }: Outcome): { changes: number } & Record<string, unknown> => JSON.parse(output);
