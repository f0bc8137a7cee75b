import { RemoteAgentClient } from '@molecule-ai/core';

const client = new RemoteAgentClient({
  workspaceId: process.env.WORKSPACE_ID,
  platformUrl: process.env.PLATFORM_URL,
  agentCard: { name: 'counter' },
});
const stopping = new AbortController();
process.once('SIGINT', () => stopping.abort());
// Registers by itself, with the token that the Python agent stored.
const outcome = await client.runAgentLoop((message) => `words: ${message.text.split(/\s+/).length}`, {
  signal: stopping.signal,
});
console.log('loop ended:', outcome);
await client.close();
