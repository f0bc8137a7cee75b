import { A2AServer, createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';

// The environment has the rest: platform, workspace, token, and the URL under which others reach this agent.
const client = new RemoteAgentClient({ agentCard: { name: 'own-server' } });
const agent = createRemoteAgent({ client, onMessage: (message) => `own-server: ${message.text}` });
agent.on('delivery-changed', (mode, reason) => console.log(`by ${mode} now`, reason ?? ''));
const server = new A2AServer({ agent, port: Number(process.env.PORT ?? 9000) });
await server.start();
await agent.start();
console.log(`online, listens on ${server.url}`);
process.once('SIGTERM', () => agent.stop());
await agent.closed;
await server.stop();
await client.close();
