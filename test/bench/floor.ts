// Floor: the public-key operations that no issuance can do without, alone, on node:crypto.

import * as crypto from 'node:crypto';
import { performance } from 'node:perf_hooks';

/** Microseconds of CPU for one issuance's token check, key import, proof check and three P-256 signatures. */
export interface Floor {
  readonly cpu: number;
  readonly wall: number;
}

const message = Buffer.alloc(1200, 7);

/** What one run of `n` rounds takes; the keys and tokens are made once. */
function prepare(): (n: number) => void {
  const issuer = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const authority = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const log = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const proof = Buffer.from('repo:octo-org/octo-repo:ref:refs/heads/main');
  // Each issuance has its own key and token, so each round imports and verifies something new.
  const clients = Array.from({ length: 256 }, () => {
    const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const token = crypto.randomBytes(900);
    return {
      spki: publicKey.export({ type: 'spki', format: 'der' }),
      signature: crypto.sign('sha256', proof, privateKey),
      token,
      tokenSignature: crypto.sign('sha256', token, issuer.privateKey),
    };
  });
  return (n) => {
    for (let i = 0; i < n; i++) {
      const client = clients[i % clients.length];
      if (client === undefined) continue;
      const { spki, signature, token, tokenSignature } = client;
      if (!crypto.verify('sha256', token, issuer.publicKey, tokenSignature)) throw new Error('token');
      const key = crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' });
      if (!crypto.verify('sha256', proof, key, signature)) throw new Error('proof');
      crypto.sign('sha256', message, authority.privateKey);
      crypto.sign('sha256', message, log.privateKey);
      crypto.sign('sha256', message, authority.privateKey);
    }
  };
}

let run: ((n: number) => void) | undefined;

export function measureFloor(rounds: number): Floor {
  run ??= prepare();
  run(100);
  const cpu = process.cpuUsage();
  const wall = performance.now();
  run(rounds);
  const used = process.cpuUsage(cpu);
  return { cpu: (used.user + used.system) / rounds, wall: ((performance.now() - wall) * 1000) / rounds };
}

/** Microseconds of CPU for one P-256 signature, which is the floor of a timestamp. */
export function measureSignature(rounds: number): number {
  const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const sign = (n: number): void => {
    for (let i = 0; i < n; i++) crypto.sign('sha256', message, privateKey);
  };
  sign(200);
  const cpu = process.cpuUsage();
  sign(rounds);
  const used = process.cpuUsage(cpu);
  return (used.user + used.system) / rounds;
}
