import ipaddr from 'ipaddr.js';
import { embeddedIpv4 } from './embedded-ipv4.ts';
import type { RefusalReason } from './refusal-reason.ts';

/** Addresses at which cloud providers serve credentials to any process on the machine. */
const METADATA = new Set(
  [
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    'fd00:42::42',
    'fd00:c1::a9fe:a9fe',
  ].map((address) => ipaddr.parse(address).toNormalizedString()),
);

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

const IPV4_REASONS: Readonly<Record<string, RefusalReason>> = {
  unspecified: 'unspecified',
  broadcast: 'broadcast',
  multicast: 'multicast',
  linkLocal: 'link_local',
  loopback: 'loopback',
  carrierGradeNat: 'carrier_grade_nat',
  private: 'private',
};

const IPV6_REASONS: Readonly<Record<string, RefusalReason>> = {
  unspecified: 'unspecified',
  multicast: 'multicast',
  linkLocal: 'link_local',
  loopback: 'loopback',
  uniqueLocal: 'private',
};

/** Whether it is refused under every policy, even if `allowedNetworks` includes it. */
export function isNeverAllowed(reason: RefusalReason | undefined): boolean {
  return reason === 'link_local' || reason === 'metadata';
}

/**
 * Returns the kind of a special-purpose address (RFC 6890), or `undefined` for a globally routable unicast one.
 *
 * An IPv4-mapped or IPv4-compatible address has the kind of its IPv4 address. Other addresses that embed an IPv4 address
 * are `transition`, unless the embedded address is refused under every policy: then its kind is returned.
 */
export function classifyAddress(address: ipaddr.IPv4 | ipaddr.IPv6): RefusalReason | undefined {
  return address instanceof ipaddr.IPv4 ? classifyIpv4(address) : classifyIpv6(address);
}

function classifyIpv4(address: ipaddr.IPv4): RefusalReason | undefined {
  if (METADATA.has(address.toNormalizedString())) return 'metadata';
  const range = address.range();
  return range === 'unicast' ? undefined : (IPV4_REASONS[range] ?? 'reserved');
}

function classifyIpv6(address: ipaddr.IPv6): RefusalReason | undefined {
  if (METADATA.has(address.toNormalizedString())) return 'metadata';
  if (address.isIPv4MappedAddress()) return classifyIpv4(address.toIPv4Address());
  const range = address.range();
  const known = IPV6_REASONS[range];
  if (known !== undefined) return known;
  const embedded = embeddedIpv4(address).map(classifyIpv4);
  const never = embedded.find(isNeverAllowed);
  if (never !== undefined) return never;
  if (embedded.length > 0) return isCompatible(address) ? (embedded[0] ?? 'transition') : 'transition';
  return range === 'unicast' && address.match(GLOBAL_UNICAST) ? undefined : 'reserved';
}

function isCompatible(address: ipaddr.IPv6): boolean {
  return address.parts.slice(0, 6).every((part) => part === 0);
}
