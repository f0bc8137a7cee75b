import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type AddressPolicy, type Network, parseNetwork, resolvePolicy } from './address-policy.ts';
import { classifyAddress, isNeverAllowed } from './classify-address.ts';
import { embeddedIpv4 } from './embedded-ipv4.ts';
import type { RefusalReason } from './refusal-reason.ts';

/** Whether an address may be connected to; if not, why. */
export type AddressVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: RefusalReason };

const ALLOWED: AddressVerdict = { ok: true };

/**
 * Judges one IP address in textual form, as a resolver or a socket reports it; without brackets.
 * Anything else than an address is refused as `invalid_address`, a zone id as `zone_id`.
 */
export function judgeAddress(address: string, policy: AddressPolicy): AddressVerdict {
  if (address.includes('%')) return { ok: false, reason: 'zone_id' };
  if (isIP(address) === 0) return { ok: false, reason: 'invalid_address' };
  const { allowLoopback, allowPrivate, allowedNetworks } = resolvePolicy(policy);
  const networks = allowedNetworks.map(parseNetwork);

  const judge = (parsed: ipaddr.IPv4 | ipaddr.IPv6): AddressVerdict => {
    const reason = classifyAddress(parsed);
    if (reason === undefined) return ALLOWED;
    if (reason === 'loopback' && allowLoopback) return ALLOWED;
    if (reason === 'private' && allowPrivate) return ALLOWED;
    if (isNeverAllowed(reason) || !networks.some((network) => covers(network, parsed))) {
      return { ok: false, reason };
    }
    // The operator listed a translator's or tunnel's prefix: what stands behind it is judged too.
    const behind = parsed instanceof ipaddr.IPv6 ? embeddedIpv4(parsed) : [];
    return behind.length === 0 || behind.some((each) => judge(each).ok) ? ALLOWED : { ok: false, reason };
  };
  return judge(unwrap(address));
}

/** `localhost` passes when one of its two addresses does; what it resolves to is judged when connecting. */
export function loopbackAllowed(policy: AddressPolicy): boolean {
  return judgeAddress('127.0.0.1', policy).ok || judgeAddress('::1', policy).ok;
}

/**
 * One spelling per address, so that two can be compared: lower case, compressed, IPv4-mapped as IPv4.
 * Returns `undefined` for anything that is not an address, a zone id included.
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
