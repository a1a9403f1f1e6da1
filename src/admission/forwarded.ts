// Forwarded: the client's address behind proxies, told by those alone that the operator listed (RFC 7239).

import { addressGroups } from './address.ts';

/** Which header the proxies write. Only one is read: the other is passed on by them as a client made it up. */
export type ForwardedHeader = 'x-forwarded-for' | 'forwarded';

interface Network {
  readonly groups: readonly number[];
  readonly prefix: number;
}

/** More hops than anybody has; what stands further left was written by the client. */
const MAX_HOPS = 32;

export class TrustedProxies {
  readonly #networks: readonly Network[];
  readonly #header: ForwardedHeader;

  /** `networks` as parseNetwork takes them. Throws a TypeError for one that is none. */
  constructor(networks: readonly string[], header: ForwardedHeader = 'x-forwarded-for') {
    this.#networks = networks.map((text) => {
      const network = parseNetwork(text);
      if (network === undefined) throw new TypeError(`${text} is no network`);
      return network;
    });
    this.#header = header;
  }

  /**
   * `peer` is the other end of the connection. Its word counts only if it is a listed proxy, and then the word of the
   * one before it, from right to left, up to the first address that is no listed proxy: that one is the client.
   */
  clientOf(peer: string | undefined, headers: Headers): string | undefined {
    if (peer === undefined || !this.#isListed(peer)) return peer;
    let client = peer;
    for (const hop of this.#hops(headers)) {
      if (addressGroups(hop) === undefined) return client; // `unknown` or an obfuscated name: the proxy does not tell
      client = hop;
      if (!this.#isListed(hop)) return client;
    }
    return client;
  }

  /** From the nearest to the farthest. */
  #hops(headers: Headers): readonly string[] {
    if (this.#networks.length === 0) return [];
    const text = headers.get(this.#header) ?? '';
    const elements = text.split(',').slice(-MAX_HOPS).reverse();
    return elements.map((element) => bare(this.#header === 'forwarded' ? forOf(element) : element.trim()));
  }

  #isListed(address: string): boolean {
    if (this.#networks.length === 0) return false;
    const groups = addressGroups(address);
    return groups !== undefined && this.#networks.some((network) => holds(network, groups));
  }
}

/** `10.0.0.0/8`, `2001:db8::/32`, or a single address; undefined for anything else. */
export function parseNetwork(text: string): Network | undefined {
  const [, address = '', size] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const groups = addressGroups(address);
  if (groups === undefined) return undefined;
  const bits = address.includes(':') ? 128 : 32;
  const length = size === undefined ? bits : Number(size);
  return length > bits ? undefined : { groups, prefix: 128 - bits + length };
}

function holds({ groups, prefix }: Network, address: readonly number[]): boolean {
  return groups.every((group, i) => {
    const ignored = 16 - Math.min(16, Math.max(0, prefix - 16 * i));
    return group >> ignored === (address[i] ?? 0) >> ignored;
  });
}

/** The `for` parameter of one element (RFC 7239 section 4). */
function forOf(element: string): string {
  for (const pair of element.split(';')) {
    const [name = '', value = ''] = pair.split('=', 2);
    if (name.trim().toLowerCase() === 'for') return value.trim().replace(/^"(.*)"$/, '$1');
  }
  return '';
}

/** Without the port, and without the brackets of IPv6. */
function bare(node: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(node)?.[1];
  if (bracketed !== undefined) return bracketed;
  return node.replace(/^([\d.]+):\d+$/, '$1');
}
