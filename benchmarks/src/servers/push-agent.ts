// An agent with an A2AServer, as a process: workspace, token, platform and state folder come from the environment. Tokens are
// verified and the log of messages is flushed to disk, as by default; only its limits fit 64 requests at the same time.
import { A2AServer, createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { freePort } from './free-port.ts';

const port = await freePort();
const client = new RemoteAgentClient({ reportedUrl: `http://127.0.0.1:${port}` });
const agent = createRemoteAgent({
  client,
  delivery: 'push',
  concurrency: 64,
  limits: { readAhead: 256 },
  onMessage: () => 'the answer of the peer',
});
const server = new A2AServer({ agent, port });
await server.start();
await agent.start();
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
