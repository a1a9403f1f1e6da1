// Limit: the rate limits as data: their names, the rates that apply without configuration, and the operator's exceptions.

import type { Rate } from './gcra.ts';

export const LIMIT_NAMES = [
  'certificates-per-identity',
  'certificates-per-owner',
  'certificates-per-issuer',
  'failures-per-address',
  'failed-proofs-per-identity',
] as const;

export type LimitName = (typeof LIMIT_NAMES)[number];

/** The three that an issuance spends from. */
export type CertificateLimit = Extract<LimitName, `certificates-${string}`>;

const HOUR = 3_600_000;

/** Bursts that suit CI: one job of a monorepo signs dozens of artifacts with a certificate each, and runners share addresses. */
export const DEFAULT_RATES: Readonly<Record<LimitName, Rate>> = {
  'certificates-per-identity': { burst: 100, count: 1_000, periodMs: HOUR },
  'certificates-per-owner': { burst: 1_000, count: 10_000, periodMs: HOUR },
  'certificates-per-issuer': { burst: 5_000, count: 50_000, periodMs: HOUR },
  'failures-per-address': { burst: 200, count: 2_000, periodMs: HOUR },
  'failed-proofs-per-identity': { burst: 200, count: 2_000, periodMs: HOUR },
};

export interface Override {
  readonly limit: LimitName;
  /**
   * `<issuer-url>#<owner id>` for owners; `<issuer-url>#<stable id>` or `<issuer-url>#<SAN>` for identities;
   * the bare issuer URL for issuers; the address (IPv6: its /64) for addresses. The comment says why, for people.
   */
  readonly ids: readonly { readonly id: string; readonly comment?: string | undefined }[];
  readonly rate: Rate;
}

export class Limits {
  #defaults: Readonly<Record<LimitName, Rate>> = DEFAULT_RATES;
  #overrides: ReadonlyMap<LimitName, ReadonlyMap<string, Rate>> = new Map();

  /** Rates were checked with `faultOf` where they were read. */
  constructor(
    defaults: Readonly<Partial<Record<LimitName, Rate>>> = {},
    overrides: readonly Override[] = [],
  ) {
    this.adopt(defaults, overrides);
  }

  /** Other rates from now on, for the buckets that there are: a configuration that was read again. */
  adopt(defaults: Readonly<Partial<Record<LimitName, Rate>>>, overrides: readonly Override[]): void {
    this.#defaults = { ...DEFAULT_RATES, ...defaults };
    const table = new Map<LimitName, Map<string, Rate>>();
    for (const { limit, ids, rate } of overrides) {
      const rates = table.get(limit) ?? new Map<string, Rate>();
      for (const { id } of ids) rates.set(id, rate);
      table.set(limit, rates);
    }
    this.#overrides = table;
  }

  /** `names` are the texts after `#` by which an override may call the bucket's owner; the first that has one wins. */
  rate(limit: LimitName, issuer: string, ...names: readonly string[]): Rate {
    const overrides = this.#overrides.get(limit);
    if (overrides === undefined) return this.#defaults[limit];
    for (const name of names) {
      const rate = overrides.get(`${issuer}#${name}`);
      if (rate !== undefined) return rate;
    }
    return this.#defaults[limit];
  }

  /** The rate of a bucket whose override id stands alone: an issuer URL, or a client address. */
  rateOf(limit: LimitName, id: string): Rate {
    return this.#overrides.get(limit)?.get(id) ?? this.#defaults[limit];
  }
}
