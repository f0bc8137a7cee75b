import ipaddr from 'ipaddr.js';

/** Which addresses may be reached besides globally routable unicast ones. Every field defaults to "none". */
export interface AddressPolicy {
  /** Also 127.0.0.0/8, ::1 and `localhost`. Dev mode sets it (decision 2). */
  allowLoopback?: boolean | undefined;
  /** Also 10/8, 172.16/12, 192.168/16 and fc00::/7. Dev mode sets it (decision 2). */
  allowPrivate?: boolean | undefined;
  /**
   * Also these networks, in CIDR notation (`10.20.0.0/16`, `fd12:3456::/32`). Write an IPv4 network as IPv4;
   * it covers the IPv4-mapped IPv6 form as well. Link-local and cloud metadata addresses stay refused even
   * when a network covers them (decision 2).
   */
  allowedNetworks?: readonly string[] | undefined;
}

/** A policy with nothing left out, frozen. It is an {@link AddressPolicy} too. */
export interface ResolvedAddressPolicy {
  readonly allowLoopback: boolean;
  readonly allowPrivate: boolean;
  readonly allowedNetworks: readonly string[];
}

/** A network as ipaddr.js compares it: base address and prefix length. */
export type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * Fills in and checks a policy. Only `true` switches something on. Resolving a resolved policy is harmless.
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

/** Reads one CIDR strictly: four decimal octets or IPv6, no zone id, no IPv4-mapped prefix. */
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
