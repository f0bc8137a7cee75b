import type { MessageHandler } from '../agent/agent-options.ts';
import { type AgentLoopOptions, runAgentLoop } from '../agent/run-agent-loop.ts';
import type { RemoteAgentClientOptions } from '../client/client-context.ts';
import { type PeerClient, PlatformClient } from '../client/platform-client.ts';
import {
  type HeartbeatLoopRunOptions,
  type LoopOutcome,
  runHeartbeatLoop,
} from '../presence/run-heartbeat-loop.ts';

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
