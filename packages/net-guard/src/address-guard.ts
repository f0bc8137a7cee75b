import type { buildConnector } from 'undici';
import { type AddressPolicy, type ResolvedAddressPolicy, resolvePolicy } from './address-policy.ts';
import { checkUrl, type UrlCheck } from './check-url.ts';
import { buildGuardedConnector, type GuardedConnectOptions } from './guarded-connector.ts';
import { type HostResolver, resolveWithSystem, type VettedAddress, vetHost } from './vet-host.ts';

/** What {@link createAddressGuard} takes; all optional. */
export interface AddressGuardOptions {
  /** @default only globally routable unicast addresses */
  policy?: AddressPolicy | undefined;
  /** @default `dns.lookup` with `all` */
  resolve?: HostResolver | undefined;
  connectOptions?: GuardedConnectOptions | undefined;
}

/** One policy at the three moments it matters: on paper, after resolving, on the socket. */
export interface AddressGuard {
  /** The policy in force, frozen. */
  readonly policy: ResolvedAddressPolicy;
  /** On paper: see the free function `checkUrl`. No network. */
  readonly checkUrl: (url: string | URL) => UrlCheck;
  /**
   * After resolving: every address of the host, all of them allowed. For a report to a user; do not connect
   * to the name afterwards by other means, because it may resolve differently by then.
   *
   * @throws AddressRefusedError when one is refused; an Error with `code` and `cause` when nothing resolves.
   */
  readonly vetHost: (hostname: string) => Promise<readonly VettedAddress[]>;
  /** On the socket: undici's `connect` option. Resolves once per connection and connects only to what was vetted. */
  readonly connect: buildConnector.connector;
}

/**
 * Builds the guard that core and platform share (wire contract 1.7 and weakness 11; decisions 1, 2 and 9).
 * Give `connect` to an undici `Client`, `Pool` or `Agent`, or let `createGuardedAgent` do that.
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
