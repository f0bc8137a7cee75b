// #region agent
import { createRemoteAgent, messageForModel, RemoteAgentClient } from '@molecule-ai/core';

// #endregion agent

/** Whatever turns a prompt into an answer. */
export interface Model {
  answer(prompt: string, options: { signal: AbortSignal }): Promise<string>;
}

/** A long-lived agent whose answers come from `model`. It runs until the process gets SIGTERM. */
export async function runAnalyst(
  workspaceId: string,
  platformUrl: string,
  model: Model,
  onStarted: () => void,
): Promise<string> {
  const client = new RemoteAgentClient({ workspaceId, platformUrl, agentCard: { name: 'analyst' } });
  // #region agent
  const agent = createRemoteAgent({
    client,
    onMessage: (message, { signal }) => model.answer(messageForModel(message), { signal }),
  });
  agent.on('degraded', (reason) => console.warn(reason));
  // #endregion agent
  agent.on('started', onStarted);
  // #region agent
  await agent.start(); // registered, online, receiving; waits for a platform that is down
  process.once('SIGTERM', () => agent.stop()); // finishes and acknowledges what it has begun
  const ended = await agent.closed; // 'paused' | 'removed' | 'revoked' | 'superseded' | 'stopped'
  await client.close();
  // #endregion agent
  return ended;
}
