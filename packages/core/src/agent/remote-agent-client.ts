import type { RemoteAgentClientOptions } from '../client/client-context.ts';
import { type PeerClient, PlatformClient } from '../client/platform-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { LoopOutcome } from '../presence/presence-machine.ts';
import { type HeartbeatLoopRunOptions, runHeartbeatLoop } from '../presence/run-heartbeat-loop.ts';
import { checkObject } from '../settings/checked-values.ts';
import { checkOptionNames, knownOptions } from '../settings/known-options.ts';
import {
  AGENT_OPTION_NAMES,
  type AgentClient,
  type MessageHandler,
  type RemoteAgentOptions,
} from './agent-options.ts';
import { createRemoteAgent, type RemoteAgent } from './remote-agent.ts';

/**
 * The client of an agent: a method per endpoint of the platform, the heartbeat loop and the agent loop.
 *
 * @example
 * const client = new RemoteAgentClient({ workspaceId, platformUrl });
 * await client.register();
 * const reply = await client.callPeer(peerId, 'Summarise the incident');
 */
export interface RemoteAgentClient extends PeerClient {
  /**
   * Sends heartbeats until the workspace is paused or removed, its token is revoked, or the signal aborts. For an agent
   * that receives its work from elsewhere. Register before.
   */
  runHeartbeatLoop(options?: HeartbeatLoopRunOptions): Promise<LoopOutcome>;

  /**
   * Registers, sends heartbeats, receives messages and answers them until the workspace is paused or removed, the
   * token is revoked, or the signal aborts. For an agent that stays running during a pause, use `createRemoteAgent`.
   */
  runAgentLoop(
    onMessage: MessageHandler<RemoteAgentClient>,
    options?: AgentLoopOptions<RemoteAgentClient>,
  ): Promise<LoopOutcome>;
}

/** @throws ConfigurationError naming the option and its environment variable. */
export const RemoteAgentClient: new (options?: RemoteAgentClientOptions) => RemoteAgentClient =
  class RemoteAgentClient extends PlatformClient {
    runHeartbeatLoop(options: HeartbeatLoopRunOptions = {}): Promise<LoopOutcome> {
      return runHeartbeatLoop(this, options);
    }

    runAgentLoop(
      onMessage: MessageHandler<RemoteAgentClient>,
      options: AgentLoopOptions<RemoteAgentClient> = {},
    ): Promise<LoopOutcome> {
      return runAgentLoop<RemoteAgentClient>(this, onMessage, options);
    }
  };

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
  const isAborted = (): boolean => signal?.aborted ?? false;
  if (onStarted !== undefined) agent.on('started', () => onStarted(agent));
  if (isAborted()) return 'stopped';
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await agent.start();
    return await agent.closed;
  } catch (error) {
    const outcome = await agent.closed;
    if (isAborted() || outcome === 'removed' || outcome === 'revoked') return outcome;
    if (MoleculeError.isInstance(error) && error.code === 'workspace_removed') return 'removed';
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
