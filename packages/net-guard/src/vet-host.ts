import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { ResolvedAddressPolicy } from './address-policy.ts';
import { AddressRefusedError } from './address-refused-error.ts';
import { canonicalAddress, checkAddress, loopbackAllowed } from './check-address.ts';
import { isLocalhost, readHost } from './host-name.ts';

/** An address that the policy allows, in canonical form. */
export interface VettedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Returns all addresses of a name, or rejects like `dns.lookup`. Called once per connection. */
export type HostResolver = (hostname: string) => Promise<readonly { readonly address: string }[]>;

/** The operating system's resolver (`dns.lookup` with `all`). */
export const resolveWithSystem: HostResolver = (hostname) => lookup(hostname, { all: true });

/**
 * Returns the addresses of a host if all of them are allowed. A name is resolved exactly once. One refused address refuses
 * the whole name: a name with public and internal addresses is a rebinding attempt or a mistake.
 *
 * @throws AddressRefusedError when the policy refuses the host or one of its addresses.
 * @throws Error with the `code` of the resolver (`ENOTFOUND`, `EAI_AGAIN`, …) and its error as `cause` when
 * the name does not resolve.
 */
export async function vetHost(
  hostname: string,
  policy: ResolvedAddressPolicy,
  resolve: HostResolver,
): Promise<readonly VettedAddress[]> {
  const host = readHost(hostname);
  if (host === undefined) throw refusalOfUnreadable(hostname);
  if (host.kind === 'literal') return [vetAddress(host.host, host.host, policy)];
  if (isLocalhost(host.host) && !loopbackAllowed(policy)) {
    throw new AddressRefusedError({ host: host.host, reason: 'loopback' });
  }
  const addresses = await resolveName(host.host, resolve);
  return addresses.map(({ address }) => vetAddress(host.host, address, policy));
}

function vetAddress(host: string, address: string, policy: ResolvedAddressPolicy): VettedAddress {
  const check = checkAddress(address, policy);
  if (!check.ok) throw new AddressRefusedError({ host, reason: check.reason, address });
  const canonical = canonicalAddress(address) ?? address;
  return { address: canonical, family: isIP(canonical) === 6 ? 6 : 4 };
}

async function resolveName(host: string, resolve: HostResolver): ReturnType<HostResolver> {
  try {
    const addresses = await resolve(host);
    if (addresses.length > 0) return addresses;
  } catch (cause) {
    throw resolutionError(host, codeOf(cause), cause);
  }
  throw resolutionError(host, 'ENOTFOUND', undefined);
}

function resolutionError(host: string, code: string, cause: unknown): Error {
  const error = new Error(`${host} could not be resolved (${code}).`, cause === undefined ? {} : { cause });
  return Object.assign(error, { code, syscall: 'getaddrinfo', hostname: host });
}

function codeOf(cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'code') : undefined;
  return typeof code === 'string' ? code : 'ENOTFOUND';
}

function refusalOfUnreadable(hostname: string): AddressRefusedError {
  const isZoned = /^\[?[0-9a-f:.]*:[0-9a-f:.]*%/i.test(hostname);
  return new AddressRefusedError({ host: 'The host', reason: isZoned ? 'zone_id' : 'invalid_url' });
}
