import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';

const client = new RemoteAgentClient({
  platformUrl: process.env.MOLECULE_PLATFORM_URL ?? 'http://localhost:8080',
  workspaceId: process.env.WORKSPACE_ID,
  authToken: process.env.MOLECULE_WORKSPACE_TOKEN,
  agentCard: { name: 'echo', skills: [{ id: 'echo', name: 'Echo' }] },
});
const agent = createRemoteAgent({ client, onMessage: (message) => `echo: ${message.text}` });
await agent.start();
console.log('online');
process.once('SIGINT', () => agent.stop());
await agent.closed;
await client.close();
