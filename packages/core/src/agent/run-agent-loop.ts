import { MoleculeError } from '../errors/molecule-error.ts';
import type { LoopOutcome } from '../presence/run-heartbeat-loop.ts';
import { checkObject } from '../settings/checked-values.ts';
import { checkOptionNames, knownOptions } from '../settings/known-options.ts';
import {
  AGENT_OPTION_NAMES,
  type AgentClient,
  type MessageHandler,
  type RemoteAgentOptions,
} from './agent-options.ts';
import { createRemoteAgent } from './create-remote-agent.ts';
import type { RemoteAgent } from './remote-agent.ts';

/** The options of `createRemoteAgent` except client and handler. */
export interface AgentLoopOptions<Client extends AgentClient = AgentClient>
  extends Omit<RemoteAgentOptions<Client>, 'client' | 'onMessage'> {
  /** Stops the agent; the loop then resolves with `stopped`. */
  signal?: AbortSignal | undefined;
  /** Called once the agent is registered, sending heartbeats and receiving messages. */
  onStarted?: ((agent: RemoteAgent) => void) | undefined;
}

const LOOP_OPTIONS = knownOptions<AgentLoopOptions>({
  ...AGENT_OPTION_NAMES,
  signal: true,
  onStarted: true,
});

/**
 * Registers and runs an agent until it is paused, removed, revoked or stopped by the signal.
 * @throws the errors of `RemoteAgent.start`, except for a removed workspace, which is an outcome.
 */
export async function runAgentLoop<Client extends AgentClient>(
  client: Client,
  onMessage: MessageHandler<Client>,
  options: AgentLoopOptions<Client> = {},
): Promise<LoopOutcome> {
  checkObject('options', options, 'Pass an object, such as { signal }.');
  checkOptionNames('runAgentLoop', options, LOOP_OPTIONS);
  const { signal, onStarted, ...rest } = options;
  const agent = createRemoteAgent({ onPause: 'stop', ...rest, client, onMessage });
  const stop = (): void => void agent.stop();
  if (onStarted !== undefined) agent.on('started', () => onStarted(agent));
  if (signal?.aborted) return 'stopped';
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await agent.start();
    return await agent.closed;
  } catch (error) {
    const outcome = await agent.closed;
    if (hasAborted(signal) || outcome === 'removed' || outcome === 'revoked') return outcome;
    if (MoleculeError.isInstance(error) && error.code === 'workspace_removed') return 'removed';
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function hasAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted ?? false;
}
