// An agent that streams the deltas a message asks for, and answers others at once, as a process: with an A2AServer, or without one
// when its argument is `long-poll`. Workspace, token, platform and state folder come from the environment.
import { A2AServer, createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { deltasOf } from './deltas.ts';
import { freePort } from './free-port.ts';

const isPushed = process.argv[2] !== 'long-poll';
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const client = new RemoteAgentClient(isPushed ? { reportedUrl: url } : {});
const agent = createRemoteAgent({
  client,
  delivery: isPushed ? 'push' : 'long-poll',
  concurrency: 64,
  limits: { readAhead: 256 },
  onMessage: ({ text }) => (text.startsWith('{') ? deltasOf(text) : 'ok'),
});
if (isPushed) await new A2AServer({ agent, port }).start();
await agent.start();
process.stdout.write(`${JSON.stringify({ url })}\n`);
