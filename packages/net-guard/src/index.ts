export { type AddressGuard, type AddressGuardOptions, createAddressGuard } from './address-guard.ts';
export { type AddressPolicy, type ResolvedAddressPolicy, resolvePolicy } from './address-policy.ts';
export { type AddressRefusal, AddressRefusedError } from './address-refused-error.ts';
export { type AddressCheck, checkAddress } from './check-address.ts';
export { checkUrl, type UrlCheck } from './check-url.ts';
export {
  type CreateGuardedAgentOptions,
  createGuardedAgent,
  type GuardedAgentOptions,
} from './guarded-agent.ts';
export type { GuardedConnectOptions } from './guarded-connector.ts';
export { REFUSAL_REASONS, type RefusalReason } from './refusal-reason.ts';
export type { HostResolver, VettedAddress } from './vet-host.ts';
