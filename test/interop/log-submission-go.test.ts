// Submissions as a Fulcio makes them: ct-go's client against a Mayfly in role log.

import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { parseSettings } from '../../src/config/settings.ts';
import { base64, fromBase64 } from '../../src/encoding/bytes.ts';
import { encodePem } from '../../src/encoding/pem.ts';
import { treeHeadKeyId } from '../../src/log/checkpoint.ts';
import { RFC6962_NOTE, verifierKey } from '../../src/log/note.ts';
import { startLogService } from '../../src/node/log-service.ts';
import { silentLogger } from '../../src/node/system/logger.ts';
import { send } from '../fakes/client.ts';
import { KINDS } from '../fakes/instance.ts';
import { describeWith } from '../fakes/skip.ts';
import { startWitness, type WitnessedLogKey } from '../fakes/witness.ts';
import { hierarchy, nameExtensions, precertificate } from '../unit/log/precertificates.ts';
import { sha256, temporaryFolder } from '../unit/log/support.ts';

const TOKEN = 'a-token-for-submissions';

describeWith('go', 'a log that ct-go submits to', () => {
  it('takes what a configured CA signed, once, and nothing else', { timeout: 600_000 }, async () => {
    const folder = temporaryFolder();
    const ca = hierarchy();
    const known: WitnessedLogKey[] = [];
    const witness = await startWitness('witness.example/w1', known);
    const log = await startLogService({
      settings: {
        ...parseSettings('', { fileName: 'the test', kinds: KINDS }).settings,
        role: 'log',
        port: 0,
        metricsPort: 0,
        data: `${folder}/data`,
        logRoots: encodePem('CERTIFICATE', ca.root.der),
        logBearers: [TOKEN],
        witnesses: [{ name: 'w1', url: witness.url, key: witness.vkey }],
      },
      kind: 'serve',
      ephemeral: false,
      logger: silentLogger,
    });
    const { origin, key } = (await send(log.url, '/.well-known/mayfly/log.json')).json as Record<
      string,
      string
    >;
    const spki = fromBase64(key ?? '') ?? new Uint8Array();
    const vkey = verifierKey(
      origin ?? '',
      treeHeadKeyId(sha256, origin ?? '', sha256(spki)),
      RFC6962_NOTE,
      spki,
    );
    const note = createPublicKey(readFileSync(`${folder}/data/log/note.key`, 'utf8'));
    known.push({
      origin: origin ?? '',
      ed25519: note.export({ type: 'spki', format: 'der' }).subarray(-32),
    });

    const stranger = hierarchy();
    const names = (n: number) => nameExtensions([`https://example.com/${n}`], 'https://forge.example.com');
    const chains = [
      [precertificate(ca.issuing).der, ...ca.chain],
      [precertificate(ca.issuing, names(1)).der, ca.issuing.der],
      [precertificate(ca.root, names(2)).der, ca.root.der],
      [precertificate(stranger.issuing).der, ...stranger.chain],
    ];
    writeFileSync(`${folder}/chains.json`, JSON.stringify(chains.map((chain) => chain.map(base64))));
    const cwd = new URL('log-go', import.meta.url);
    const env = { ...process.env, GOTOOLCHAIN: 'local' };
    await promisify(execFile)('go', ['build', '-o', `${folder}/submit`, './submit'], { cwd, env });
    const args = [log.prefix, vkey, witness.vkey, TOKEN, `${folder}/chains.json`];
    const { stdout } = await promisify(execFile)(`${folder}/submit`, args);
    expect(stdout).toBe('3 submissions, every check passed\n');
    await log.close();
    await witness.close();
  });
});
