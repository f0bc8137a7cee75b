/** The agent of a Next application, `lib/agent.ts`. Its platform and its own URL are in the environment. */
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';

export const client = new RemoteAgentClient({ agentCard: { name: 'next' } });

/** `instrumentation.ts` calls `agent.start()`, once per process. */
export const agent = createRemoteAgent({
  client,
  delivery: 'push',
  onMessage: (message) => `next: ${message.text}`,
});
