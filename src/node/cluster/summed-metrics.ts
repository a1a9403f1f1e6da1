// Cluster metrics: one answer to Prometheus for all processes of an instance; what an ended worker has counted stays counted.

import { AggregatorRegistry, type Registry } from 'prom-client';

/** What a registry tells another process of one metric. */
interface Told {
  readonly name: string;
  readonly type: unknown;
}

type Snapshot = readonly object[];

export class ClusterMetrics {
  readonly #own: Registry;
  /** What each worker said last, by its number. */
  readonly #latest = new Map<number, Snapshot>();
  /** Of workers that have ended, counters and histograms: a sum that shrinks looks like a restart, and would count twice. */
  #ended: Snapshot[] = [];

  constructor(own: Registry) {
    this.#own = own;
  }

  get contentType(): string {
    return this.#own.contentType;
  }

  /** `snapshot` is what `getMetricsAsJSON` of its registry gave. */
  heard(worker: number, snapshot: Snapshot): void {
    this.#latest.set(worker, snapshot);
  }

  /** What it counted since it was last heard is lost. */
  ended(worker: number): void {
    const counted = this.#latest.get(worker)?.filter((one) => isTold(one) && COUNTS.has(String(one.type)));
    this.#latest.delete(worker);
    if (counted !== undefined) this.#ended.push(counted);
  }

  async text(): Promise<string> {
    if (this.#ended.length > 1) {
      const ended = this.#ended;
      this.#ended = [await AggregatorRegistry.aggregate(ended.map((one) => [...one])).getMetricsAsJSON()];
    }
    const own = await this.#own.getMetricsAsJSON();
    const all = [own, ...this.#latest.values(), ...this.#ended];
    return AggregatorRegistry.aggregate(all.map((one) => [...one])).metrics();
  }
}

const COUNTS = new Set(['counter', 'histogram']);

function isTold(value: object): value is Told {
  return 'name' in value && 'type' in value;
}
