import api from 'undici/lib/api/index.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import { type AddressGuardOptions, createAddressGuard } from './address-guard.ts';

// Only undici's root, which is not loaded here, gives an Agent the methods that send requests.
class GuardedAgent extends Agent {}
Object.assign(GuardedAgent.prototype, api);

/** Options of undici's Agent, without those that decide where a connection goes. */
export type GuardedAgentOptions = Omit<
  Agent.Options,
  'connect' | 'factory' | 'socketPath' | 'maxCachedSessions'
>;

/** What {@link createGuardedAgent} takes; all optional. */
export interface CreateGuardedAgentOptions extends AddressGuardOptions {
  agentOptions?: GuardedAgentOptions | undefined;
}

/**
 * An undici Agent whose every connection goes through the address guard. A refused request rejects with an
 * `AddressRefusedError` (with `fetch`: as the `cause` of its TypeError).
 *
 * It follows no redirect, as no undici Agent does: a 3xx is an answer like any other. Code that follows one,
 * by hand, by `fetch` or by undici's redirect interceptor, comes back through the guard for the new host, but
 * must itself drop credentials when the origin changes (decision 9). Requests on a connection that is kept
 * alive go to the address vetted for it; each new connection is vetted anew.
 *
 * `connectTimeout`, `allowH2` and `autoSelectFamily` of `agentOptions` reach the guard's sockets too.
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

/** Untyped callers may pass more; these would lead around the guard. */
function onlyAgentOptions(options: Agent.Options = {}): Agent.Options {
  const { connect, factory, socketPath, maxCachedSessions, ...rest } = options;
  return rest;
}
