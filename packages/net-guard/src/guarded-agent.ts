import type { Agent } from 'undici';
import api from 'undici/lib/api/index.js';
import UndiciAgent from 'undici/lib/dispatcher/agent.js';
import { type AddressGuardOptions, createAddressGuard } from './address-guard.ts';

// The methods that send requests are added to an Agent only by undici's main module, which is not loaded here.
class GuardedAgent extends UndiciAgent {}
Object.assign(GuardedAgent.prototype, api);

/** Options of undici's Agent, without those that change the target of a connection. */
export type GuardedAgentOptions = Omit<
  Agent.Options,
  'connect' | 'factory' | 'socketPath' | 'maxCachedSessions'
>;

export interface CreateGuardedAgentOptions extends AddressGuardOptions {
  agentOptions?: GuardedAgentOptions | undefined;
}

/**
 * Creates an undici Agent whose connections all pass the address guard. A refused request rejects with an
 * `AddressRefusedError` (with `fetch`: as the `cause` of its TypeError).
 *
 * Like any undici Agent it does not follow redirects. If the caller follows one, manually, by `fetch` or by undici's
 * redirect interceptor, the new host is checked as well, but the caller must remove credentials when the origin changes.
 * Requests on a kept-alive connection go to the address that was vetted for it; each new connection is vetted again.
 *
 * `connectTimeout`, `allowH2` and `autoSelectFamily` of `agentOptions` apply to the guard's sockets.
 *
 * @throws TypeError when the policy is invalid.
 */
export function createGuardedAgent(options: CreateGuardedAgentOptions = {}): Agent {
  const { connectTimeout, allowH2, autoSelectFamily, autoSelectFamilyAttemptTimeout } =
    options.agentOptions ?? {};
  const guard = createAddressGuard({
    ...options,
    connectOptions: {
      timeout: connectTimeout,
      allowH2,
      autoSelectFamily,
      autoSelectFamilyAttemptTimeout,
      ...options.connectOptions,
    },
  });
  return new GuardedAgent({ ...onlyAgentOptions(options.agentOptions), connect: guard.connect });
}

/** Removes options that would bypass the guard; untyped callers may pass them. */
function onlyAgentOptions(options: Agent.Options = {}): Agent.Options {
  const { connect, factory, socketPath, maxCachedSessions, ...rest } = options;
  return rest;
}
