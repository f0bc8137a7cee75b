// An agent that does what the text of a message says. `hold <key>` and `stream <key>` wait for `release <key>`.
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';

const log = (event: string, facts: object = {}) =>
  void process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
const gates = new Map<string, PromiseWithResolvers<void>>();
const gateOf = (key: string) => {
  const gate = gates.get(key) ?? Promise.withResolvers<void>();
  gates.set(key, gate);
  return gate;
};

/** What a log would show of an error. */
const noted = (fields: object, text: string) => {
  const { error } = fields as { readonly error?: { readonly message?: string; readonly hint?: string } };
  log('noted', { text, message: error?.message, hint: error?.hint });
};
const quiet = () => {};
const logger = { debug: quiet, info: quiet, warn: noted, error: noted };

const client = new RemoteAgentClient({
  logger,
  agentCard: { name: 'agent', capabilities: { streaming: true } },
});
const agent = createRemoteAgent({
  client,
  presence: { reconnectSpreadMs: 1_000 },
  onMessage: async (message, { stream }) => {
    const [verb, key = ''] = message.text.split(' ');
    log('handled', { text: message.text });
    if (verb === 'release') gateOf(key).resolve();
    if (verb === 'stream') await stream('one');
    if (verb === 'hold' || verb === 'stream') await gateOf(key).promise;
    return verb === 'stream' ? ' two' : `echo: ${message.text}`;
  },
});
agent.on('degraded', (reason) => log('degraded', { reason }));
agent.on('recovered', (reason) => log('recovered', { reason }));
agent.on('delivery-changed', (mode) => log('delivery', { mode }));
process.once('SIGTERM', () => agent.stop());
try {
  await agent.start();
  log('online');
  await agent.closed;
} catch (error) {
  log('failed', { code: Object(error).code, message: Object(error).message, hint: Object(error).hint });
}
await client.close();
