// The Helm chart: linted, held to its schema and to Kubernetes' types, and run: real processes get what its pods would get.

import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { send } from '../fakes/client.ts';
import { buildDeployTools, type DeployTools } from '../fakes/deploy-tools.ts';
import { entryOf } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { type RunningServer, run, serve } from '../fakes/process.ts';
import { type RedisServer, startRedis } from '../fakes/redis.ts';
import { overHttp1 } from '../fakes/secure-client.ts';
import { issue, request } from '../fakes/signing-client.ts';
import { describeWith, isInstalled } from '../fakes/skip.ts';
import { newTlsAuthority } from '../fakes/tls.ts';
import { serveAs, temporary, translate } from './container.ts';
import { configMap, fill, mount, type Store, type Workload, workload } from './manifests.ts';

const CHART = join(import.meta.dirname, '..', '..', 'deploy', 'helm', 'mayfly');
const KUBERNETES = ['--kube-version', '1.33.0'];
const MINIMAL = { publicUrl: 'https://ca.example.com' };
/** Of the user in Redis (docs/security.md). */
const RIGHTS = '~mayfly:* +eval +evalsha +time +mget +set +del +hello +info';
const KEY = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';
const FULL = {
  ...MINIMAL,
  issuers: [{ 'issuer-url': 'https://login.example.com', audiences: ['sigstore'], type: 'email' }],
  frozen: ['people'],
  settings: { errors: 'terse' },
  image: { digest: `sha256:${'0'.repeat(64)}`, pullSecrets: ['pull'] },
  ca: { replicas: 3, nodeSelector: { a: 'b' }, tolerations: [{ key: 'a', operator: 'Exists' }] },
  log: {
    publicKey: KEY,
    bearerSecret: { name: 'log-bearer', key: 'token' },
    storage: { size: '1Ti', className: 'fast' },
    settings: { witnesses: [] },
  },
  redis: {
    url: 'redis://redis.example:6380',
    username: 'mayfly',
    passwordSecret: { name: 'redis-password', key: 'password' },
  },
  ingress: { enabled: true, host: 'ca.example.com', className: 'nginx', tlsSecretName: 'tls' },
  tls: { secretName: 'tls', clientCa: true },
  metrics: { enabled: true, serviceMonitor: { enabled: true, labels: { release: 'prometheus' } } },
  networkPolicy: {
    clientsFrom: [{ namespaceSelector: {} }],
    metricsFrom: [{ namespaceSelector: {} }],
    extraEgress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
  },
  serviceAccount: { name: 'mayfly', automountToken: true },
  podLabels: { team: 'signing' },
  podAnnotations: { 'example.com/on-call': 'signing' },
};

const SCHEMA = z.object({
  properties: z.record(z.string(), z.unknown()),
  definitions: z.record(z.string(), z.unknown()).default({}),
});

function readJson(file: string): z.infer<typeof SCHEMA> {
  return SCHEMA.parse(JSON.parse(readFileSync(file, 'utf8')));
}

function publicKeyOf(): string {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

describeWith('go', 'the Helm chart', () => {
  const folder = temporary('chart');
  let tools: DeployTools;
  let count = 0;

  beforeAll(() => {
    tools = buildDeployTools(folder);
  }, 900_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const withValues = (command: string, values: object) => {
    const file = join(folder, `values-${count++}.yaml`);
    writeFileSync(file, stringify(values));
    const words = command === 'lint' ? ['lint', CHART, '--strict'] : ['template', 'mf', CHART];
    return tools.helm(...words, ...KUBERNETES, '--values', file);
  };
  const rendered = (values: object): readonly unknown[] => {
    const { status, stdout, stderr } = withValues('template', values);
    if (status !== 0) throw new Error(stderr);
    return tools.manifests(stdout);
  };
  const kindOf = (object: unknown): string => z.object({ kind: z.string() }).parse(object).kind;
  const ofKind = (objects: readonly unknown[], kind: string) => objects.filter((one) => kindOf(one) === kind);
  const configMapsOf = (objects: readonly unknown[]): Store['configMaps'] =>
    Object.fromEntries(
      ofKind(objects, 'ConfigMap').map((one) => {
        const { metadata, data } = configMap.parse(one);
        return [metadata.name, data];
      }),
    );
  const workloadsOf = (objects: readonly unknown[]) => {
    const [ca] = ofKind(objects, 'Deployment').map((one) => workload.parse(one));
    const [log] = ofKind(objects, 'StatefulSet').map((one) => workload.parse(one));
    if (ca === undefined) throw new Error('no Deployment');
    return { ca, log };
  };

  test.each([
    ['what it cannot do without', MINIMAL],
    ['everything', FULL],
    ['a log elsewhere', { ...MINIMAL, log: { enabled: false, url: 'https://log.example.com/2027' } }],
  ])('takes values with %s: it lints, and Kubernetes knows every field', (_, values) => {
    const { status, stdout } = withValues('lint', values);
    expect([status, stdout]).toEqual([0, expect.stringContaining('0 chart(s) failed')]);
    const kinds = rendered(values).map(kindOf);
    expect(kinds).toEqual(expect.arrayContaining(['Deployment', 'NetworkPolicy', 'PodDisruptionBudget']));
    expect(kinds.includes('StatefulSet')).toBe(!('log' in values) || !('enabled' in values.log));
  });

  test.each<[string, object, string]>([
    ['no public URL', {}, 'publicUrl'],
    ['a public URL with a slash at its end', { publicUrl: 'https://ca.example.com/' }, '/publicUrl'],
    ['a key that is none', { ...MINIMAL, isuers: [] }, 'isuers'],
    ['a setting that the chart makes itself', { ...MINIMAL, settings: { data: '/elsewhere' } }, "'data'"],
    ['a setting that there is not', { ...MINIMAL, settings: { nonsense: 1 } }, "'nonsense'"],
    ['TLS beside the values for it', { ...MINIMAL, settings: { tls: {} } }, "'tls'"],
    ['a client CA without TLS', { ...MINIMAL, tls: { clientCa: true } }, '/tls'],
    ['neither a log nor the URL of one', { ...MINIMAL, log: { enabled: false } }, '/log'],
    ['an ingress for no host', { ...MINIMAL, ingress: { enabled: true } }, '/ingress'],
    ['an issuer without a URL', { ...MINIMAL, issuers: [{ type: 'email' }] }, '/issuers/0'],
    [
      'an issuer without a type',
      { ...MINIMAL, issuers: [{ 'issuer-url': 'x', audiences: ['x'] }] },
      "'type'",
    ],
    ['a monitor of no metrics', { ...MINIMAL, metrics: { serviceMonitor: { enabled: true } } }, '/metrics'],
    ['a private key for the public one', { ...MINIMAL, log: { publicKey: 'PRIVATE' } }, '/log/publicKey'],
  ])('refuses values with %s', (_, values, where) => {
    const { status, stderr } = withValues('template', values);
    expect([status, stderr]).toEqual([1, expect.stringContaining(where)]);
  });

  test('gives no pod a privilege, a writable root, a token of the cluster, or more memory than is said', () => {
    const { ca, log } = workloadsOf(rendered(MINIMAL));
    for (const one of [ca, log]) {
      expect(one?.spec.template.spec).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(one?.spec.template.spec.containers[0]).toMatchObject({
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: { limits: { memory: expect.any(String) } },
      });
    }
  });

  test('takes every setting that an instance takes, but those that it makes itself', () => {
    const own = [
      'host',
      'port',
      'grpc-port',
      'metrics-host',
      'metrics-port',
      'public-url',
      'data',
      'role',
      'drain-delay',
    ];
    const issuers = ['issuers', 'oidc-issuers', 'meta-issuers', 'ci-issuer-metadata'];
    const { properties } = readJson(join(CHART, '..', '..', '..', 'config', 'schema.json'));
    const { definitions } = readJson(join(CHART, 'values.schema.json'));
    const { propertyNames } = z
      .object({ propertyNames: z.object({ enum: z.array(z.string()) }) })
      .parse(definitions['settings']);
    const taken = Object.keys(properties).filter((key) => ![...own, ...issuers].includes(key));
    expect(propertyNames.enum.toSorted()).toEqual(taken.toSorted());
  });

  test.each([
    ['in clear', MINIMAL, ['http', 'kubernetes.io/h2c']],
    ['over TLS', { ...MINIMAL, tls: { secretName: 'tls' } }, ['https', 'https']],
    ['with metrics for others', FULL, ['https', 'https', undefined]],
  ])('asks pods how they are where no TLS stands before the answer: %s', (_, values, spoken) => {
    const objects = rendered(values);
    const { ca, log } = workloadsOf(objects);
    for (const one of [ca, log]) {
      const [container] = one?.spec.template.spec.containers ?? [];
      expect(container?.ports).toContainEqual({ name: 'metrics', containerPort: 2112 });
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const)
        expect(container?.[probe]).toMatchObject({ httpGet: { port: 'metrics' } });
    }
    const ports = z.object({
      spec: z.object({ ports: z.array(z.object({ appProtocol: z.string().optional() })) }),
    });
    const [service] = ofKind(objects, 'Service').map((one) => ports.parse(one).spec.ports);
    expect(service?.map(({ appProtocol }) => appProtocol)).toEqual(spoken);
  });

  test('makes replicas over TLS that let in who shows a certificate, and tell probes that show none', async () => {
    await using opened = new AsyncDisposableStack();
    const authority = await newTlsAuthority();
    const { cert, key } = await authority.issue();
    const values = {
      ...MINIMAL,
      log: { enabled: false, url: 'http://127.0.0.1:1/', publicKey: publicKeyOf() },
      drainDelay: '0s',
      tls: { secretName: 'tls', clientCa: true },
    };
    const objects = rendered(values);
    const { ca } = workloadsOf(objects);
    const store = {
      secrets: {
        'mayfly-ca': await instanceSecret(join(folder, 'instance-tls')),
        tls: { 'tls.crt': cert, 'tls.key': key, 'ca.crt': authority.cert },
      },
      configMaps: configMapsOf(objects),
    };
    const at = join(folder, 'ca-tls');
    mkdirSync(at);
    const mounts = mount(ca, store, at, (text, places) => translate(text, places));
    const server = await serveAs(ca.spec.template.spec.containers[0].args, mounts);
    opened.defer(async () => void (await server.stop()));
    await untilReady(ca, server);
    const [stranger, client] = [{ ca: authority.cert }, { ca: authority.cert, cert, key }].map(
      (credentials) => overHttp1(server.url, credentials),
    );
    for (const one of [stranger, client]) opened.defer(async () => one?.close());
    await expect(stranger?.send('/healthz')).rejects.toThrow();
    expect((await client?.send('/readyz'))?.status).toBe(200);
  }, 60_000);

  test('lets one log write, and no replica issue before the key of the log is known', () => {
    const { ca, log } = workloadsOf(rendered(MINIMAL));
    expect([ca.spec.replicas, log?.spec.replicas]).toEqual([0, 1]);
    const known = workloadsOf(rendered({ ...MINIMAL, log: { publicKey: KEY } }));
    expect([known.ca.spec.replicas, known.log?.spec.replicas]).toEqual([2, 1]);
  });

  test('keeps the keys of the CA from the log', () => {
    const { log } = workloadsOf(rendered(FULL));
    const secrets = log?.spec.template.spec.volumes.flatMap(({ secret }) => secret?.items ?? []);
    expect(secrets?.map(({ key }) => key)).toEqual(['ca__root.pem', 'token']);
  });

  test('has budget, policies and services that select its pods', () => {
    const objects = rendered(FULL);
    const { ca, log } = workloadsOf(objects);
    const selects = (selector: unknown, one: Workload | undefined): boolean =>
      Object.entries(z.record(z.string(), z.string()).parse(selector)).every(
        ([name, value]) => one?.spec.template.metadata.labels[name] === value,
      );
    const shape = z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({
        selector: z.unknown().optional(),
        podSelector: z.object({ matchLabels: z.unknown() }).optional(),
      }),
    });
    for (const kind of ['Service', 'NetworkPolicy', 'PodDisruptionBudget'])
      for (const object of ofKind(objects, kind)) {
        const { metadata, spec } = shape.parse(object);
        const selector =
          spec.podSelector?.matchLabels ??
          (kind === 'Service'
            ? spec.selector
            : z.object({ matchLabels: z.unknown() }).parse(spec.selector).matchLabels);
        const isLog = metadata.name.endsWith('-log');
        expect([kind, metadata.name, selects(selector, ca), selects(selector, log)]).toEqual([
          kind,
          metadata.name,
          !isLog,
          isLog,
        ]);
      }
    expect(selects(ca.spec.selector.matchLabels, ca)).toBe(true);
  });

  test('replaces pods for settings that are read at the start, and not for issuers', () => {
    const stamp = (values: object) =>
      workloadsOf(rendered(values)).ca.spec.template.metadata.annotations['mayfly/settings'];
    const base = stamp(MINIMAL);
    expect(stamp({ ...MINIMAL, issuers: FULL.issuers, frozen: ['people'] })).toBe(base);
    expect(stamp({ ...MINIMAL, redis: FULL.redis })).not.toBe(base);
    expect(stamp({ ...MINIMAL, log: { publicKey: KEY } })).not.toBe(base);
  });

  if (isInstalled('redis')) runs();

  /** What proves a chart: its pods' words, files and settings make a CA that issues. */
  function runs(): void {
    test('makes replicas that issue into one log, count together, and follow a change of issuers', async () => {
      await using opened = new AsyncDisposableStack();
      const people: FakeIssuer = await startIssuer({
        claims: { email: 'dana@example.org', email_verified: true },
      });
      opened.defer(() => people.close());
      const password = 'a-password-of-redis';
      const aclFile = join(folder, 'redis.acl');
      writeFileSync(aclFile, `user mayfly on >${password} ${RIGHTS}\n`);
      const redis: RedisServer = await startRedis({ args: ['--aclfile', aclFile] });
      opened.defer(() => redis.stop());
      const secrets = {
        'mayfly-ca': await instanceSecret(join(folder, 'instance')),
        'log-bearer': { token: 'a-token-for-the-log\n' },
        'redis-password': { password },
      };
      const values = {
        ...MINIMAL,
        issuers: [{ name: 'people', ...entryOf({ issuer: people, type: 'email' }) }],
        settings: {
          'rate-limits': {
            defaults: { 'certificates-per-identity': { burst: 4, count: 4, period: '1h' } },
          },
        },
        drainDelay: '0s',
        log: { bearerSecret: FULL.log.bearerSecret },
        redis: FULL.redis,
        metrics: { enabled: true },
      };
      const storeOf = (objects: readonly unknown[]): Store => ({
        secrets,
        configMaps: configMapsOf(objects),
      });
      const elsewhere = new Map([[FULL.redis.url, redis.url]]);
      const adapt = (text: string, mounts: ReadonlyMap<string, string>): string =>
        translate(text, new Map([...mounts, ...elsewhere]));
      const startPod = async (pod: Workload, store: Store, name: string) => {
        const at = join(folder, name);
        mkdirSync(at);
        const mounts = mount(pod, store, at, adapt);
        const server = await serveAs(pod.spec.template.spec.containers[0].args, mounts);
        opened.defer(async () => void (await server.stop()));
        await untilReady(pod, server);
        return { server, mounts };
      };

      const first = rendered(values);
      const { log } = workloadsOf(first);
      if (log === undefined) throw new Error('no log');
      const logPod = await startPod(log, storeOf(first), 'log');
      elsewhere.set('http://mf-log:5555', logPod.server.url);

      // As NOTES has it: the key that the log made goes into the values, and then replicas issue.
      const data = logPod.mounts.get('/var/lib/mayfly') ?? '';
      const { stdout: publicKey } = await run(['log', 'key', '--data', data]);
      const whole = { ...values, log: { ...values.log, publicKey } };
      const objects = rendered(whole);
      const { ca } = workloadsOf(objects);
      const replicas = [
        await startPod(ca, storeOf(objects), 'ca-0'),
        await startPod(ca, storeOf(objects), 'ca-1'),
      ];
      const urls = replicas.map(({ server }) => server.url);
      const [a = '', b = ''] = urls;

      const authorities = new Set<string>();
      for (const url of [a, b, a, b]) {
        const { authority, leaf } = await issue(url, { token: await people.sign() });
        authorities.add(authority.spki);
        expect(leaf.names).toEqual([{ kind: 'email', value: 'dana@example.org' }]);
      }
      expect(authorities.size).toBe(1);
      for (const url of urls) expect((await request(url, { token: await people.sign() })).status).toBe(429);
      const documents = await Promise.all(
        urls.map(async (url) => (await send(url, '/.well-known/mayfly/trusted_root.json')).text),
      );
      expect(documents[0]).toContain('ctlogs');
      expect(documents[0]).toBe(documents[1]);
      await vi.waitFor(async () => {
        const { text } = await send(logPod.server.url, '/log/checkpoint');
        expect(text.split('\n')[1]).toBe('4');
      }, 20_000);
      expect((await send(new URL(logPod.server.metricsUrl).origin, '/metrics')).text).toContain(
        'mayfly_log_tree_size 4',
      );

      // The kubelet swaps the volume's files; nobody restarts.
      for (const [change, reason] of [
        [{ frozen: ['people'] }, /frozen/i],
        [{ issuers: [] }, /ISSUER_UNKNOWN/],
      ] as const) {
        const store = storeOf(rendered({ ...whole, ...change }));
        for (const { mounts } of replicas) fill(ca, store, mounts, adapt);
        for (const url of urls)
          await vi.waitFor(async () => {
            const { status, text } = await request(url, { token: await people.sign() });
            expect([status, text]).toEqual([expect.any(Number), expect.stringMatching(reason)]);
          }, 20_000);
      }
      for (const { mounts } of replicas) {
        const written = readdirSync(mounts.get('/var/lib/mayfly') ?? '').filter(
          (name) => !name.startsWith('..'),
        );
        expect(written.toSorted()).toEqual([
          'ca',
          'frozen-issuers.json',
          'instance.json',
          'log',
          'timestamp',
        ]);
      }
    }, 120_000);
  }

  /** As docs/kubernetes.md has it: the data folder of an instance that was started once, each file under its path. */
  async function instanceSecret(data: string): Promise<Readonly<Record<string, string>>> {
    const maker = await serve(['--data', data, '--log', 'none'], { cwd: folder });
    await maker.stop();
    const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
    return Object.fromEntries(
      files.map(({ parentPath, name }) => {
        const path = join(parentPath, name).slice(data.length + 1);
        return [path.replaceAll('/', '__'), readFileSync(join(data, path), 'utf8')];
      }),
    );
  }

  async function untilReady(pod: Workload, server: RunningServer): Promise<void> {
    const { startupProbe, livenessProbe, readinessProbe } = pod.spec.template.spec.containers[0];
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
      const base = httpGet.port === 'metrics' ? new URL(server.metricsUrl).origin : server.url;
      await vi.waitFor(async () => expect((await send(base, httpGet.path)).status).toBe(200), 20_000);
    }
  }
});
