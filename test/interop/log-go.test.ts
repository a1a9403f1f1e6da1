// The log as independent Go code sees it: golang.org/x/mod/sumdb note and tlog, transparency-dev, certificate-transparency-go.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { expect, it } from 'vitest';
import { base64 } from '../../src/encoding/bytes.ts';
import { logRoutes } from '../../src/http/log.ts';
import { ed25519Key, treeHeadKeyId } from '../../src/log/checkpoint.ts';
import { ED25519_NOTE, noteKeyId, RFC6962_NOTE, verifierKey } from '../../src/log/note.ts';
import { encodeSct } from '../../src/log/sct.ts';
import { describeWith } from '../fakes/skip.ts';
import {
  ed25519Signer,
  entryOf,
  ORIGIN,
  openLog,
  p256Signer,
  sha256,
  temporaryFolder,
} from '../unit/log/support.ts';

/** Sizes at, around and beyond tile boundaries. */
const SIZES = [1, 255, 256, 257, 600];

describeWith('go', 'a log read by Go', () => {
  it('is sound at every size', { timeout: 600_000 }, async () => {
    const [signer, cosigner] = [p256Signer(), ed25519Signer()];
    const folder = temporaryFolder();
    const log = await openLog({ folder: `${folder}/log`, signer, cosigner });
    const routes = logRoutes({ reader: log.reader, prefix: () => '', roots: () => [], errors: 'helpful' });
    const server = createServer(getRequestListener(new Hono().route('/log', routes).fetch));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const prefix = `http://127.0.0.1:${(server.address() as AddressInfo).port}/log/`;

    const go = (...args: string[]): Promise<{ stdout: string }> =>
      promisify(execFile)('go', args, {
        cwd: new URL('log-go', import.meta.url),
        env: { ...process.env, GOTOOLCHAIN: 'local' },
      });
    await go('build', '-o', `${folder}/checker`, '.');

    const { logId } = log.reader.identity;
    const vkey = verifierKey(ORIGIN, treeHeadKeyId(sha256, ORIGIN, logId), RFC6962_NOTE, signer.publicKey);
    const material = ed25519Key(cosigner.publicKey);
    const covkey = verifierKey(
      ORIGIN,
      noteKeyId(sha256, ORIGIN, ED25519_NOTE, material),
      ED25519_NOTE,
      material,
    );
    const scts: { index: number; sct: string }[] = [];
    for (const size of SIZES) {
      const fresh = Array.from({ length: size - scts.length }, (_, i) => entryOf(scts.length + i, 50));
      const given = await Promise.all(fresh.map((entry) => log.log.append(entry)));
      for (const sct of given) scts.push({ index: scts.length, sct: base64(encodeSct(sct)) });
      await log.publish();
      writeFileSync(`${folder}/scts.json`, JSON.stringify(scts));
      const { stdout } = await promisify(execFile)(`${folder}/checker`, [
        prefix,
        vkey,
        covkey,
        `${folder}/scts.json`,
      ]);
      expect(stdout).toBe(`${size} entries, every check passed\n`);
    }
    server.closeAllConnections();
    server.close();
    await log.close();
  });
});
