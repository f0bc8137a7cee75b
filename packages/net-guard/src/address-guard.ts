import type { buildConnector } from 'undici';
import { type AddressPolicy, type ResolvedAddressPolicy, resolvePolicy } from './address-policy.ts';
import { checkUrl, type UrlCheck } from './check-url.ts';
import { buildGuardedConnector, type GuardedConnectOptions } from './guarded-connector.ts';
import { type HostResolver, resolveWithSystem, type VettedAddress, vetHost } from './vet-host.ts';

export interface AddressGuardOptions {
  /** @default only globally routable unicast addresses */
  policy?: AddressPolicy | undefined;
  /** @default `dns.lookup` with `all` */
  resolve?: HostResolver | undefined;
  connectOptions?: GuardedConnectOptions | undefined;
}

/** Applies one policy in three steps: to the URL, to the resolved addresses, and to the connected socket. */
export interface AddressGuard {
  /** The policy in force, frozen. */
  readonly policy: ResolvedAddressPolicy;
  /** Checks a URL without network access; see the function `checkUrl`. */
  readonly checkUrl: (url: string | URL) => UrlCheck;
  /**
   * Resolves a host and returns all its addresses if all are allowed. Use it for reports only: a later connection by other
   * means may resolve the name differently.
   *
   * @throws AddressRefusedError when an address is refused; an Error with `code` and `cause` when resolving fails.
   */
  readonly vetHost: (hostname: string) => Promise<readonly VettedAddress[]>;
  /** undici's `connect` option. Resolves once per connection and connects only to vetted addresses. */
  readonly connect: buildConnector.connector;
}

/**
 * Creates a guard that protects against requests to internal addresses (SSRF). Pass `connect` to an undici `Client`,
 * `Pool` or `Agent`, or use `createGuardedAgent`. See docs/contract/presence.md#agent-addresses.
 *
 * @throws TypeError when the policy is invalid.
 */
export function createAddressGuard(options: AddressGuardOptions = {}): AddressGuard {
  const policy = resolvePolicy(options.policy);
  const resolve = options.resolve ?? resolveWithSystem;
  const vet = (hostname: string) => vetHost(hostname, policy, resolve);
  return Object.freeze({
    policy,
    checkUrl: (url: string | URL) => checkUrl(url, policy),
    vetHost: vet,
    connect: buildGuardedConnector(vet, { ...options.connectOptions }),
  });
}
