// Watchlist: which certificates a monitor is to tell of, and what it tells of each.

import { type Leaf, readLeaf } from '../certificate/leaf.ts';
import type { IdentityPattern } from '../client/identity-pattern.ts';
import { hex } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import { ATTRIBUTE_TITLES } from '../identity/attribute.ts';
import type { TileLeaf } from '../log/entry.ts';
import type { LogEvent } from './log-events.ts';

export class Watchlist {
  readonly #patterns: readonly IdentityPattern[];
  readonly #issuer: string | undefined;

  constructor(patterns: readonly IdentityPattern[], issuer: string | undefined) {
    this.#patterns = patterns;
    this.#issuer = issuer;
  }

  /**
   * Undefined for an entry that is nobody's on the list. Only what the log has signed counts: the TBSCertificate. One that
   * cannot be read is told of as such, since it may be for anybody.
   */
  eventOf(origin: string, { index, timestamp, tbs }: TileLeaf): LogEvent | undefined {
    const logged = new Date(timestamp).toISOString();
    let leaf: Leaf;
    try {
      leaf = readLeaf(der.sequence(tbs));
    } catch {
      return { event: 'unreadable', log: origin, index, logged };
    }
    const identities = leaf.names.map((name) => name?.value);
    if (identities.length === 0 || identities.includes(undefined))
      return { event: 'unreadable', log: origin, index, logged };
    const issuer = leaf.attributes.get(8) ?? leaf.attributes.get(1) ?? '';
    const issuers = [leaf.attributes.get(8), leaf.attributes.get(1)];
    if (this.#issuer !== undefined && !issuers.includes(this.#issuer)) return undefined;
    const identity = identities.find((name) => this.#patterns.some((one) => one.matches(name ?? '')));
    if (identity === undefined) return undefined;
    return {
      event: 'issuance',
      log: origin,
      index,
      logged,
      identity,
      issuer,
      serial: hex(leaf.serial),
      not_before: new Date(leaf.notBefore).toISOString(),
      not_after: new Date(leaf.notAfter).toISOString(),
      attributes: Object.fromEntries(
        [...leaf.attributes].map(([n, value]) => [ATTRIBUTE_TITLES.get(n) ?? `.${n}`, value]),
      ),
    };
  }
}
