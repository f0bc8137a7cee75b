import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';

// The platform's URL, the workspace and its token come from the environment.
const client = new RemoteAgentClient({
  agentCard: { name: 'echo', skills: [{ id: 'echo', name: 'Echo' }] },
});
const agent = createRemoteAgent({ client, onMessage: (message) => `echo: ${message.text}` });
await agent.start();
console.log('online');
process.once('SIGINT', () => agent.stop());
await agent.closed;
await client.close();
