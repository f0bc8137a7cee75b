import ipaddr from 'ipaddr.js';

/** The addresses that may be reached in addition to globally routable unicast ones. */
export interface AddressPolicy {
  /** Allows 127.0.0.0/8, ::1 and `localhost`. @default false */
  allowLoopback?: boolean | undefined;
  /** Allows 10/8, 172.16/12, 192.168/16 and fc00::/7. @default false */
  allowPrivate?: boolean | undefined;
  /**
   * Allows these networks, in CIDR notation (`10.20.0.0/16`, `fd12:3456::/32`). An IPv4 network must be written as IPv4;
   * it includes the IPv4-mapped IPv6 addresses. Link-local and cloud metadata addresses are refused even if a network
   * includes them. @default none
   */
  allowedNetworks?: readonly string[] | undefined;
}

/** A validated {@link AddressPolicy} with all defaults applied; frozen. */
export interface ResolvedAddressPolicy {
  readonly allowLoopback: boolean;
  readonly allowPrivate: boolean;
  readonly allowedNetworks: readonly string[];
}

/** A network as ipaddr.js compares it: base address and prefix length. */
export type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * Validates a policy and applies the defaults. Only the value `true` enables an option. Idempotent.
 *
 * @throws TypeError when an entry of `allowedNetworks` is not in CIDR notation.
 */
export function resolvePolicy(policy: AddressPolicy = {}): ResolvedAddressPolicy {
  const allowedNetworks = [...(policy.allowedNetworks ?? [])];
  for (const cidr of allowedNetworks) parseNetwork(cidr);
  return Object.freeze({
    allowLoopback: policy.allowLoopback === true,
    allowPrivate: policy.allowPrivate === true,
    allowedNetworks: Object.freeze(allowedNetworks),
  });
}

/** Parses a CIDR strictly: four decimal octets or IPv6, no zone id, no IPv4-mapped prefix. */
export function parseNetwork(cidr: string): Network {
  if (ipaddr.IPv4.isValidCIDRFourPartDecimal(cidr)) return ipaddr.IPv4.parseCIDR(cidr);
  if (ipaddr.IPv6.isValidCIDR(cidr) && !cidr.includes('%')) {
    const network = ipaddr.IPv6.parseCIDR(cidr);
    if (!network[0].isIPv4MappedAddress()) return network;
  }
  throw new TypeError(
    `allowedNetworks: ${JSON.stringify(cidr)} is not a network in CIDR notation such as 10.20.0.0/16 or fd12:3456::/32.`,
  );
}
