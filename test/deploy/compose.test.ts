// The compose file: as Docker's loader reads it, what its containers may do, and its parts run together on this machine.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { buildDeployTools } from '../fakes/deploy-tools.ts';
import { entryOf } from '../fakes/instance.ts';
import { startIssuer } from '../fakes/issuer.ts';
import { startRedis } from '../fakes/redis.ts';
import { startS3 } from '../fakes/s3.ts';
import { issue } from '../fakes/signing-client.ts';
import { describeWith, isInstalled } from '../fakes/skip.ts';
import { serveAs, temporary, translated } from './container.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'deploy', 'docker');
const FILE = join(FOLDER, 'compose.yaml');
const service = z.looseObject({
  command: z.array(z.string()).optional(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  ports: z.array(z.string()).optional(),
  secrets: z.array(z.string()).optional(),
});
const project = z.looseObject({
  services: z.record(z.string(), service),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
});
const { services, secrets } = project.parse(parse(readFileSync(FILE, 'utf8'), { merge: true }));

const folder = temporary('compose');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const makeSecrets = (at: string): string =>
  execFileSync(join(FOLDER, 'secrets.sh'), [at], { encoding: 'utf8' });

test('every container has a root nobody writes to, no privilege, and is reached from this machine alone', () => {
  for (const [name, one] of Object.entries(services)) {
    expect([name, one]).toMatchObject([
      name,
      { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] },
    ]);
    for (const port of one.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  }
});

test('the secrets are made once, for nobody else on this machine', () => {
  const at = join(folder, 'secrets');
  expect(makeSecrets(at)).toContain('made');
  const before = readdirSync(at).map((name) => readFileSync(join(at, name), 'utf8'));
  expect(makeSecrets(at)).toContain('already');
  expect(readdirSync(at).map((name) => readFileSync(join(at, name), 'utf8'))).toEqual(before);
  expect(statSync(at).mode & 0o777).toBe(0o700);
  const named = Object.values(secrets).map(({ file }) => file.replace('./secrets/', ''));
  expect(readdirSync(at)).toEqual(expect.arrayContaining(named));
  const access = readFileSync(join(at, 's3.access'), 'utf8');
  expect(readFileSync(join(at, 's3.env'), 'utf8')).toContain(`ROOT_ACCESS_KEY=${access}\n`);
});

describeWith('go', 'the compose file', () => {
  test('is one that Docker takes', () => {
    const copy = join(folder, 'docker');
    translated(join(FOLDER, 'config'), join(copy, 'config'), new Map());
    writeFileSync(join(copy, 'compose.yaml'), readFileSync(FILE));
    makeSecrets(join(copy, 'secrets'));
    const loaded = z.object({ services: z.record(z.string(), z.unknown()) });
    const read = loaded.parse(buildDeployTools(folder).compose(join(copy, 'compose.yaml')));
    expect(Object.keys(read.services).toSorted()).toEqual(Object.keys(services).toSorted());
  }, 900_000);

  if (isInstalled('redis'))
    test('describes parts that issue together', async () => {
      await using opened = new AsyncDisposableStack();
      const people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
      opened.defer(() => people.close());
      const at = join(folder, 'run', 'secrets');
      makeSecrets(at);
      const [program, ...words] = services['redis']?.command ?? [];
      expect(program).toBe('redis-server');
      const redis = await startRedis({ args: words.map((word) => word.replace('/run/secrets', at)) });
      opened.defer(() => redis.stop());
      const s3 = await startS3();
      opened.defer(() => s3.stop());
      mkdirSync(join(dirname(s3.folder), 'mayfly-log')); // as the container `bucket` does
      const { accessKeyId, secretAccessKey } = s3.credentials;
      for (const [name, text] of [
        ['s3.access', accessKeyId],
        ['s3.secret', secretAccessKey],
      ] as const) {
        chmodSync(join(at, name), 0o600);
        writeFileSync(join(at, name), text);
      }
      const issuers = stringify({ issuers: [entryOf({ issuer: people, type: 'email' })] });
      const elsewhere = new Map([
        ['/run/secrets', at],
        ['/var/lib/mayfly', join(folder, 'keys')],
        ['http://s3:7070', s3.endpoint],
        ['redis://redis:6379', redis.url],
        ['issuers: []', issuers],
      ]);
      const etc = translated(join(FOLDER, 'config'), join(folder, 'etc'), elsewhere);
      const server = await serveAs(services['mayfly']?.command ?? [], new Map([['/etc/mayfly', etc]]));
      opened.defer(async () => void (await server.stop()));
      expect((await issue(server.url, { token: await people.sign() })).leaf.names).toHaveLength(1);
      expect(readdirSync(join(dirname(s3.folder), 'mayfly-log'))).toContain('identity');
      expect(server.output.stdout + server.output.stderr).not.toMatch(/redis.*(away|cannot)/i);
    }, 900_000);
});
