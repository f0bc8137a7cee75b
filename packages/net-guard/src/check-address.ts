import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type AddressPolicy, type Network, parseNetwork, resolvePolicy } from './address-policy.ts';
import { classifyAddress, isNeverAllowed } from './classify-address.ts';
import { embeddedIpv4 } from './embedded-ipv4.ts';
import type { RefusalReason } from './refusal-reason.ts';

/** Whether connecting to an address is allowed; if not, the reason. */
export type AddressCheck = { readonly ok: true } | { readonly ok: false; readonly reason: RefusalReason };

const ALLOWED: AddressCheck = { ok: true };

/**
 * Checks one IP address in textual form, as returned by a resolver or a socket, without brackets. Other text is refused as
 * `invalid_address`, an address with a zone id as `zone_id`.
 */
export function checkAddress(address: string, policy: AddressPolicy): AddressCheck {
  if (address.includes('%')) return { ok: false, reason: 'zone_id' };
  if (isIP(address) === 0) return { ok: false, reason: 'invalid_address' };
  const { allowLoopback, allowPrivate, allowedNetworks } = resolvePolicy(policy);
  const networks = allowedNetworks.map(parseNetwork);

  const check = (parsed: ipaddr.IPv4 | ipaddr.IPv6): AddressCheck => {
    const reason = classifyAddress(parsed);
    if (reason === undefined) return ALLOWED;
    if (reason === 'loopback' && allowLoopback) return ALLOWED;
    if (reason === 'private' && allowPrivate) return ALLOWED;
    if (isNeverAllowed(reason) || !networks.some((network) => covers(network, parsed))) {
      return { ok: false, reason };
    }
    // The prefix of a translator or tunnel is allowed: the embedded address is checked as well.
    const embedded = parsed instanceof ipaddr.IPv6 ? embeddedIpv4(parsed) : [];
    return embedded.length === 0 || embedded.some((each) => check(each).ok) ? ALLOWED : { ok: false, reason };
  };
  return check(unwrap(address));
}

/** `localhost` passes if one of its two addresses does; the resolved addresses are checked when connecting. */
export function loopbackAllowed(policy: AddressPolicy): boolean {
  return checkAddress('127.0.0.1', policy).ok || checkAddress('::1', policy).ok;
}

/**
 * Returns the canonical form for comparisons: lower case, compressed, IPv4-mapped as IPv4. Returns `undefined` for other
 * text and for addresses with a zone id.
 */
export function canonicalAddress(address: string | undefined): string | undefined {
  if (address === undefined || address.includes('%') || isIP(address) === 0) return undefined;
  return unwrap(address).toString();
}

function unwrap(address: string): ipaddr.IPv4 | ipaddr.IPv6 {
  const parsed = ipaddr.parse(address);
  return parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed;
}

function covers([base, length]: Network, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return base.kind() === address.kind() && address.match(base, length);
}
