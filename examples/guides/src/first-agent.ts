import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';

// The platform's URL, the workspace and its token come from the environment.
const client = new RemoteAgentClient({
  agentCard: {
    name: 'counter',
    description: 'Counts words.',
    skills: [{ id: 'count', name: 'Count words' }],
  },
});

const agent = createRemoteAgent({
  client,
  onMessage: (message) => `words: ${message.text.split(/\s+/).length}`, // the answer to the sender
});

await agent.start(); // registered, online, reading messages
console.log('online');
process.once('SIGINT', () => agent.stop()); // Ctrl-C: finishes the messages it has begun
console.log('ended:', await agent.closed);
await client.close();
