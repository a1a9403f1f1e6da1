// Address: what kind of network an IP address belongs to, whatever form it is written in (RFC 6890, RFC 4291).

/**
 * `never`: link-local, cloud metadata, unspecified, multicast: no OpenID provider lives there, whoever names it.
 * `private`: not globally reachable; only for hosts that the operator named. Everything unknown counts as `never`.
 */
export type AddressKind = 'public' | 'private' | 'never';

/** `public` refuses every address that is not globally reachable; `any` refuses only those that no issuer may have. */
export type Reach = 'any' | 'public';

export function isReachable(address: string, reach: Reach): boolean {
  const kind = kindOfAddress(address);
  return kind === 'public' || (kind === 'private' && reach === 'any');
}

/** For the text forms of IPv4 and IPv6, a zone included; what is neither is `never`. */
export function kindOfAddress(text: string): AddressKind {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return kindOfIpv4(v4);
  const v6 = parseIpv6(text);
  return v6 === undefined ? 'never' : kindOfIpv6(v6);
}

/** A host of a URL when it is an address and no name, without the brackets of IPv6. */
export function addressOfHost(hostname: string): string | undefined {
  if (hostname.startsWith('[') && hostname.endsWith(']')) return hostname.slice(1, -1);
  return parseIpv4(hostname) === undefined ? undefined : hostname;
}

type Range4 = readonly [base: string, prefix: number];

const never4: readonly Range4[] = [
  ['0.0.0.0', 8], // "this network"; on many systems another way to say localhost
  ['169.254.0.0', 16], // link-local, and the metadata service of most clouds
  ['100.100.100.200', 32], // metadata, Alibaba Cloud
  ['168.63.129.16', 32], // platform service, Azure
  ['192.0.0.192', 32], // metadata, Oracle Cloud
  ['224.0.0.0', 4], // multicast
  ['255.255.255.255', 32], // broadcast
];

/** The IANA special-purpose registry: not globally reachable. */
const private4: readonly Range4[] = [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // shared address space of carriers
  ['127.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays, deprecated
  ['192.168.0.0', 16],
  ['198.18.0.0', 15], // benchmarking
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['240.0.0.0', 4], // reserved
];

function kindOfIpv4(address: number): AddressKind {
  const isIn = ([base, prefix]: Range4) => {
    const size = 2 ** (32 - prefix);
    return Math.floor(address / size) === Math.floor((parseIpv4(base) ?? 0) / size);
  };
  if (never4.some(isIn)) return 'never';
  return private4.some(isIn) ? 'private' : 'public';
}

type Range6 = readonly [base: string, prefix: number];

const never6: readonly Range6[] = [
  ['::', 128], // unspecified
  ['fe80::', 10], // link-local
  ['fd00:ec2::254', 128], // metadata, AWS
  ['fd20:ce::254', 128], // metadata, Google Cloud
  ['ff00::', 8], // multicast
];

/** Inside 2000::/3, the only block that is routed globally. */
const private6: readonly Range6[] = [
  ['2001::', 23], // IETF protocol assignments, Teredo among them
  ['2001:db8::', 32], // documentation
  ['3fff::', 20], // documentation
];

/** Forms that carry an IPv4 address, and the index of its first group: what reaches that address is of its kind. */
const embedding6: readonly (readonly [base: string, prefix: number, group: number])[] = [
  ['::', 96, 6], // IPv4-compatible, deprecated; ::1 is told apart before
  ['::ffff:0:0', 96, 6], // IPv4-mapped
  ['::ffff:0:0:0', 96, 6], // IPv4-translated (RFC 2765)
  ['64:ff9b::', 96, 6], // NAT64 (RFC 6052)
  ['64:ff9b:1::', 96, 6], // NAT64, local use (RFC 8215)
  ['2002::', 16, 1], // 6to4 (RFC 3056)
];

function kindOfIpv6(groups: readonly number[]): AddressKind {
  const isIn = ([base, prefix]: Range6) => samePrefix(groups, parseIpv6(base) ?? [], prefix);
  if (never6.some(isIn)) return 'never';
  if (isIn(['::1', 128])) return 'private';
  for (const [base, prefix, group] of embedding6)
    if (isIn([base, prefix])) return kindOfIpv4((groups[group] ?? 0) * 0x10000 + (groups[group + 1] ?? 0));
  return isIn(['2000::', 3]) && !private6.some(isIn) ? 'public' : 'private';
}

function samePrefix(a: readonly number[], b: readonly number[], prefix: number): boolean {
  for (let bit = 0, group = 0; bit < prefix; bit += 16, group += 1) {
    const shift = Math.max(0, 16 - (prefix - bit));
    if ((a[group] ?? 0) >> shift !== (b[group] ?? 0) >> shift) return false;
  }
  return true;
}

/** Dotted decimal only: URL parsers and resolvers have already turned hexadecimal and octal into it. */
function parseIpv4(text: string): number | undefined {
  const parts = text.split('.', 5);
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Eight groups of 16 bits (RFC 4291 section 2.2). */
function parseIpv6(text: string): readonly number[] | undefined {
  const bare = text.replace(/%.*$/, '');
  const dotted = /^(.*:)([\d.]+)$/.exec(bare);
  const tail = dotted?.[2]?.includes('.') ? parseIpv4(dotted[2]) : undefined;
  if (dotted?.[2]?.includes('.') && tail === undefined) return undefined;
  const hexadecimal =
    tail === undefined ? bare : `${dotted?.[1]}${(tail >>> 16).toString(16)}:${(tail & 0xffff).toString(16)}`;
  const halves = hexadecimal.split('::');
  if (halves.length > 2) return undefined;
  const [left, right] = halves.map((half) => (half === '' ? [] : half.split(':')));
  if (left === undefined) return undefined;
  const missing = 8 - left.length - (right?.length ?? 0);
  if (right === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...left, ...Array<string>(missing).fill('0'), ...(right ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16));
}
