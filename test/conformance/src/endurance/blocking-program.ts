// The program of `heartbeat-run.ts`: an agent whose handler burns CPU for the time that the message names, `burn 60000`, without
// a pause for the event loop.
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';

const log = (event: string, facts: object = {}) =>
  void process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);

const agent = createRemoteAgent({
  client: new RemoteAgentClient(),
  presence: {
    heartbeatIntervalMs: Number(process.env.HEARTBEAT_INTERVAL_MS),
    isolateHeartbeat: { maxBlockMs: Number(process.env.MAX_BLOCK_MS) },
    reconnectSpreadMs: 1_000,
  },
  onMessage: ({ text }) => {
    log('handling', { text });
    const until = performance.now() + Number(text.replace('burn ', ''));
    while (performance.now() < until) Math.sqrt(until);
    return `echo: ${text}`;
  },
});
await agent.start();
log('online');
