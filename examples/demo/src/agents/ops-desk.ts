/**
 * A child whose handler is an AI SDK agent, and which has a URL of its own: where the platform reaches it, messages are
 * pushed to it, and its peers call it directly.
 */
import { A2AServer, createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { aiSdkHandler, scriptedLanguageModel } from '@molecule-examples/ai-sdk-by-hand';
import { log } from './log.ts';
import { isRollBack, rollBack } from './roll-back.ts';
import { deliverySabotaged, portSabotaged, sabotaged } from './sabotage.ts';

const colleague = 'test-lab';
// Its URL comes from the environment as well, MOLECULE_REPORTED_URL.
const client = new RemoteAgentClient({ agentCard: { name: 'ops-desk' } });
const handle = aiSdkHandler({
  client,
  model: scriptedLanguageModel(),
  instructions: `You are the operations desk.\nYou know: ${process.env.DEMO_KNOWLEDGE}`,
  colleague,
  onReply: (reply) => log('tool-result', { from: colleague, via: reply.via, text: reply.forModel() }),
});

const agent = createRemoteAgent({
  client,
  onMessage: sabotaged(async (message, context) => {
    log('handling', { messageId: message.messageId, from: message.sourceId, text: message.text });
    if (isRollBack(message)) return rollBack(message);
    return handle(message, context);
  }),
  // It may be asked by its colleague while it waits for that colleague's answer.
  concurrency: 4,
  heartbeatIntervalMs: 1_000,
  delivery: deliverySabotaged('auto'),
});
agent.on('delivery-changed', (mode, reason) => log('delivery', { mode, reason }));

const port = portSabotaged(Number(new URL(client.reportedUrl ?? '').port));
let server = new A2AServer({ agent, port });
let isServing = true;
await server.start();
// The demo takes the server away, and gives it back.
process.on('SIGUSR2', async () => {
  isServing = !isServing;
  if (!isServing) return server.stop();
  server = new A2AServer({ agent, port });
  return server.start();
});
process.once('SIGTERM', () => agent.stop());
await agent.start();
log('delivery', { mode: agent.health().delivery, reason: null });
log('online');
log('ended', { outcome: await agent.closed });
await server.stop();
await client.close();
