/**
 * A child that is an agent of the AI SDK, with the adapter, and which has a URL of its own: where the platform reaches it, messages are
 * pushed to it, and its peers call it directly.
 */
import { createAiSdkHandler, createPeerTools } from '@molecule-ai/ai-sdk';
import { A2AServer, createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { consulting } from '@molecule-tests/harness';
import { ScriptedLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { log } from './log.ts';
import { isRollBack, rollBack, rollBackIfApproved } from './roll-back.ts';
import { deliverySabotaged, portSabotaged, sabotaged } from './sabotage.ts';

// Its URL comes from the environment as well, MOLECULE_REPORTED_URL.
const client = new RemoteAgentClient({ agentCard: { name: 'ops-desk' } });
const handle = createAiSdkHandler({
  model: new ScriptedLanguageModel(consulting('test-lab')),
  instructions: `You are the operations desk.\nYou know: ${process.env.DEMO_KNOWLEDGE}`,
  tools: createPeerTools(client, { only: ['list_peers', 'call_peer'] }),
  onStepFinish: ({ toolResults }) => {
    for (const { toolName, output } of toolResults) {
      if (toolName === 'call_peer') log('tool-result', { text: output.forModel });
    }
  },
});

const agent = createRemoteAgent({
  client,
  onMessage: sabotaged(async (message, context) => {
    log('handling', { messageId: message.messageId, from: message.sourceId, text: message.text });
    if (isRollBack(message)) return rollBack(message);
    return handle(message, context);
  }),
  onAnswer: (answer, context) =>
    answer.kind === 'question' ? rollBackIfApproved(answer) : handle.onAnswer?.(answer, context),
  // It may be asked by its colleague while it waits for that colleague's answer.
  concurrency: 4,
  presence: { heartbeatIntervalMs: 1_000 },
  delivery: deliverySabotaged('auto'),
});
agent.on('delivery-changed', (mode, reason) => log('delivery', { mode, reason }));

const port = portSabotaged(Number(new URL(process.env.MOLECULE_REPORTED_URL ?? '').port));
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
