// The program of `mortal-agent.ts`: answers each message and says what it does on stdout.
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { DELIVERIES } from './agent-modes.ts';

const client = new RemoteAgentClient();
const agent = createRemoteAgent({
  client,
  delivery: DELIVERIES[process.env.DELIVERY === 'poll' ? 'poll' : 'long-poll'](),
  onMessage: async ({ text }) => {
    process.stdout.write(`handling ${text}\n`);
    if (text === 'hang' && process.env.HANGS === 'yes') await new Promise(() => {});
    return `echo: ${text}`;
  },
});
await agent.start();
process.stdout.write('online\n');
