import ipaddr from 'ipaddr.js';

interface Carrier {
  prefix: [ipaddr.IPv6, number];
  /** The possible positions of the IPv4 address: the indexes of its four bytes. */
  layouts: readonly (readonly number[])[];
  /** Teredo stores the client's address with all bits inverted. */
  flippedLayouts?: readonly (readonly number[])[];
}

const LAST_FOUR = [12, 13, 14, 15];

/** IPv6 prefixes of addresses that embed an IPv4 address. IPv4-mapped ones are converted before. */
const CARRIERS: readonly Carrier[] = [
  // IPv4-compatible (RFC 4291) and IPv4-translated (RFC 2765).
  { prefix: ipaddr.IPv6.parseCIDR('::/96'), layouts: [LAST_FOUR] },
  { prefix: ipaddr.IPv6.parseCIDR('::ffff:0:0:0/96'), layouts: [LAST_FOUR] },
  // NAT64: the well-known prefix, and the local-use one with every layout of RFC 6052 that fits in it.
  { prefix: ipaddr.IPv6.parseCIDR('64:ff9b::/96'), layouts: [LAST_FOUR] },
  {
    prefix: ipaddr.IPv6.parseCIDR('64:ff9b:1::/48'),
    layouts: [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], LAST_FOUR],
  },
  // 6to4 (RFC 3056) and Teredo (RFC 4380: server, then client).
  { prefix: ipaddr.IPv6.parseCIDR('2002::/16'), layouts: [[2, 3, 4, 5]] },
  { prefix: ipaddr.IPv6.parseCIDR('2001::/32'), layouts: [[4, 5, 6, 7]], flippedLayouts: [LAST_FOUR] },
];

/**
 * Returns the IPv4 addresses to which a translator or a tunnel may map an IPv6 address; empty for an ordinary address.
 * There can be several if the prefix does not define the layout.
 */
export function embeddedIpv4(address: ipaddr.IPv6): ipaddr.IPv4[] {
  const bytes = address.toByteArray();
  const carrier = CARRIERS.find(({ prefix }) => address.match(prefix));
  if (carrier) {
    const straight = carrier.layouts.map((layout) => readBytes(bytes, layout, 0));
    const flipped = (carrier.flippedLayouts ?? []).map((layout) => readBytes(bytes, layout, 0xff));
    return [...straight, ...flipped];
  }
  return isIsatap(bytes) ? [readBytes(bytes, LAST_FOUR, 0)] : [];
}

function readBytes(bytes: readonly number[], layout: readonly number[], mask: number): ipaddr.IPv4 {
  return new ipaddr.IPv4(layout.map((index) => (bytes[index] ?? 0) ^ mask));
}

/** ISATAP (RFC 5214): interface id 0000:5efe or 0200:5efe, then the IPv4 address, under any prefix. */
function isIsatap(bytes: readonly number[]): boolean {
  return (bytes[8] === 0 || bytes[8] === 2) && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe;
}
