/** A child whose handler is an AI SDK agent. */
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { aiSdkHandler, scriptedLanguageModel } from '@molecule-examples/ai-sdk-by-hand';
import { log } from './log.ts';
import { isRollBack, rollBack } from './roll-back.ts';
import { sabotaged } from './sabotage.ts';

const colleague = 'test-lab';
const client = new RemoteAgentClient({ agentCard: { name: 'ops-desk' } });
const handle = aiSdkHandler({
  client,
  model: scriptedLanguageModel(),
  instructions: `You are the operations desk.\nYou know: ${process.env.DEMO_KNOWLEDGE}`,
  colleague,
  onReply: (reply) => log('tool-result', { from: colleague, text: reply.forModel() }),
});

const agent = createRemoteAgent({
  client,
  onMessage: sabotaged(async (message, context) => {
    log('handling', { messageId: message.messageId, text: message.text });
    if (isRollBack(message)) return rollBack(message);
    return handle(message, context);
  }),
  // It may be asked by its colleague while it waits for that colleague's answer.
  concurrency: 4,
  heartbeatIntervalMs: 1_000,
});
process.once('SIGTERM', () => agent.stop());
await agent.start();
log('online');
log('ended', { outcome: await agent.closed });
await client.close();
