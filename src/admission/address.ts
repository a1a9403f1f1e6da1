// Address: what counts as one client before a token is proven: an IPv4 address, or the /64 that a site gets of IPv6.

/** `203.0.113.7`, or `2001:db8:0:1::/64`; anything that is no address stands for itself, cut to 64 characters. */
export function clientOf(address: string): string {
  if (!address.includes(':')) return address.slice(0, 64);
  const groups = ipv6Groups(address);
  if (groups === undefined) return address.slice(0, 64);
  // ::ffff:a.b.c.d is an IPv4 client on a dual-stack socket (RFC 4291 section 2.5.5.2).
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high = 0, low = 0] = groups.slice(6);
    return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
  }
  const [a = 0, b = 0, c = 0, d = 0] = groups;
  return `${a.toString(16)}:${b.toString(16)}:${c.toString(16)}:${d.toString(16)}::/64`;
}

/** The eight groups of an address; those of IPv4 are the ones of its IPv4-mapped form. */
export function addressGroups(address: string): readonly number[] | undefined {
  if (address.includes(':')) return ipv6Groups(address);
  const groups = numbersOf(address);
  return groups.length === 2 ? [0, 0, 0, 0, 0, 0xffff, ...groups] : undefined;
}

/** The eight groups of an IPv6 address (RFC 4291 section 2.2), with or without a zone. */
function ipv6Groups(address: string): readonly number[] | undefined {
  const bare = address.split('%', 1)[0] ?? '';
  const halves = bare.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':').flatMap(numbersOf)));
  if (head === undefined || head.includes(-1) || tail?.includes(-1)) return undefined;
  if (tail === undefined) return head.length === 8 ? head : undefined;
  const missing = 8 - head.length - tail.length;
  if (missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** One or, for a dotted IPv4 tail, two groups; [-1] for what is neither. */
function numbersOf(text: string): readonly number[] {
  if (/^[0-9a-f]{1,4}$/i.test(text)) return [Number.parseInt(text, 16)];
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (octets === undefined || octets.some((octet) => octet > 255)) return [-1];
  const [a = 0, b = 0, c = 0, d = 0] = octets;
  return [(a << 8) | b, (c << 8) | d];
}
