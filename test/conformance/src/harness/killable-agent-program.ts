// The program of `killable-agent.ts`: an agent that answers each message `echo: <text>` and logs what it does.
import { createRemoteAgent, PollDelivery, RemoteAgentClient } from '@molecule-ai/core';

const log = (event: string, facts: object = {}) =>
  void process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
const hang = () => new Promise<never>(() => {});

const agent = createRemoteAgent({
  client: new RemoteAgentClient(),
  presence: { reconnectSpreadMs: 1_000, heartbeatIntervalMs: Number(process.env.HEARTBEAT_INTERVAL_MS) },
  delivery: process.env.DELIVERY === 'poll' ? new PollDelivery({ intervalMs: 1_000 }) : 'long-poll',
  onMessage: async ({ text }, context) => {
    log('handling', { text, attempt: context.attempt });
    if (text === process.env.HANG_BEFORE_REPLY) await hang();
    await context.reply(`echo: ${text}`);
    log('replied', { text });
    if (text === process.env.HANG_AFTER_REPLY) await hang();
  },
});
agent.on('paused', () => log('paused'));
agent.on('resumed', () => log('resumed'));
await agent.start();
log('online');
