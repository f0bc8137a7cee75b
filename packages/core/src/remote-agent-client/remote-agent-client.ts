import type { MessageHandler } from '../agent/agent-options.ts';
import { type AgentLoopOptions, runAgentLoop } from '../agent/run-agent-loop.ts';
import { PlatformClient } from '../client/platform-client.ts';
import {
  type HeartbeatLoopRunOptions,
  type LoopOutcome,
  runHeartbeatLoop,
} from '../presence/run-heartbeat-loop.ts';

/**
 * One agent's client: a method per endpoint of its platform, and the two loops that keep it running.
 *
 * @example
 * const client = new RemoteAgentClient({ workspaceId, platformUrl });
 * await client.register();
 * const reply = await client.callPeer(peerId, 'Summarise the incident');
 */
export class RemoteAgentClient extends PlatformClient {
  /**
   * Sends heartbeats until the workspace is paused or removed, its token is revoked, or the signal aborts. For an
   * agent that receives its work elsewhere; register first.
   */
  runHeartbeatLoop(options: HeartbeatLoopRunOptions = {}): Promise<LoopOutcome> {
    return runHeartbeatLoop(this, options);
  }

  /**
   * Registers, sends heartbeats, receives messages and answers them until the workspace is paused or removed, the
   * token is revoked, or the signal aborts. For a program that keeps running through a pause, use
   * `createRemoteAgent`.
   */
  runAgentLoop(
    onMessage: MessageHandler<RemoteAgentClient>,
    options: AgentLoopOptions<RemoteAgentClient> = {},
  ): Promise<LoopOutcome> {
    return runAgentLoop(this, onMessage, options);
  }
}
