// Signer metrics: how often each key of the instance signed and failed to, and how long keys elsewhere take.

import { Counter, Histogram, type Registry } from 'prom-client';
import type { Bytes } from '../../encoding/bytes.ts';
import type { Signer } from '../../key/signer.ts';

/** What a key is there for. */
export type KeyRole = 'ca' | 'log' | 'note' | 'timestamp';

export type ObserveSigner = (signer: Signer, key: KeyRole) => Signer;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Returns a function that puts a signer of the same key in front of one. Keys of this process are counted and not timed:
 * how long they take is the processor's doing, and is seen in the latency of requests.
 */
export function signerMetrics(registry: Registry): ObserveSigner {
  const registers = [registry];
  const signatures = new Counter({
    registers,
    name: 'mayfly_signatures_total',
    help: 'Signatures by key and result, those with which readiness is probed among them.',
    labelNames: ['key', 'result'],
  });
  const latency = new Histogram({
    registers,
    name: 'mayfly_signer_seconds',
    help: 'Seconds that a key in a token or a key service took for a signature.',
    labelNames: ['key'],
    buckets: SECONDS,
  });
  return (signer, key) => {
    const { algorithm, publicKey } = signer;
    const signed = signatures.labels({ key, result: 'signed' });
    const failed = signatures.labels({ key, result: 'failed' });
    failed.inc(0); // so that the first failure is an increase
    const elsewhere = async (signature: Promise<Bytes>, started: number): Promise<Bytes> => {
      try {
        const bytes = await signature;
        signed.inc();
        return bytes;
      } catch (cause) {
        failed.inc();
        throw cause;
      } finally {
        latency.observe({ key }, (performance.now() - started) / 1000);
      }
    };
    return {
      algorithm,
      publicKey,
      sign(message) {
        const started = performance.now();
        let signature: Bytes | Promise<Bytes>;
        try {
          signature = signer.sign(message);
        } catch (cause) {
          failed.inc();
          throw cause;
        }
        if (!(signature instanceof Uint8Array)) return elsewhere(signature, started);
        signed.inc();
        return signature;
      },
    };
  };
}
