/** Logs each message and answers it; with HANG set it never finishes one. */
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';

const log = (event: string, facts: object = {}) => console.log(JSON.stringify({ event, ...facts }));

const agent = createRemoteAgent({
  client: new RemoteAgentClient(), // its settings come from the environment
  onMessage: async ({ text }, { attempt }) => {
    log('handling', { text, attempt });
    if (process.env.HANG === 'yes') await new Promise(() => {});
    return `done: ${text}`;
  },
});
await agent.start();
log('online');
