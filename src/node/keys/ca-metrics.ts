// CA metrics: when the certificates of the instance expire.

import { Gauge, type Registry } from 'prom-client';
import { type Expiry, expiriesOf } from '../../certificate/expiry.ts';
import type { Bytes } from '../../encoding/bytes.ts';

/** DER, its own certificate first, the root last. */
type Chain = readonly Bytes[];

/** Chains are asked for at each scrape; the same object means the same certificates. */
export function caMetrics(
  registry: Registry,
  chains: () => { readonly ca: Chain; readonly timestamp: Chain | undefined },
): void {
  const read = new WeakMap<Chain, readonly Expiry[]>();
  const expiries = (chain: Chain): readonly Expiry[] => {
    const known = read.get(chain) ?? expiriesOf(chain);
    read.set(chain, known);
    return known;
  };
  new Gauge({
    registers: [registry],
    name: 'mayfly_ca_not_after_seconds',
    help: 'Unix time at which a certificate of the instance expires: issuing, intermediate-N or root of the CA, or that of the timestamp authority.',
    labelNames: ['ca'],
    aggregator: 'min',
    collect() {
      this.reset();
      const { ca, timestamp } = chains();
      for (const { place, notAfter } of expiries(ca)) this.set({ ca: place }, notAfter / 1000);
      const [own] = timestamp === undefined ? [] : expiries(timestamp);
      if (own !== undefined) this.set({ ca: 'timestamp' }, own.notAfter / 1000);
    },
  });
}
