import { checkCallsOf } from '../settings/known-options.ts';
import type { AgentClient, RemoteAgentOptions } from './agent-options.ts';
import { AgentRuntime, type RemoteAgent } from './remote-agent.ts';
import { START_OPTIONS } from './start-and-stop.ts';

checkCallsOf<AgentRuntime>(AgentRuntime.prototype, { start: [0, START_OPTIONS] });

/**
 * Creates an agent from a client and a handler; `start()` runs it.
 * @throws ConfigurationError naming the option.
 *
 * @example
 * const agent = createRemoteAgent({ client, onMessage: (message) => `echo: ${message.text}` });
 * await agent.start();
 * process.once('SIGTERM', () => agent.stop());
 * await agent.closed;
 */
export function createRemoteAgent<Client extends AgentClient>(
  options: RemoteAgentOptions<Client>,
): RemoteAgent {
  return new AgentRuntime(options);
}
