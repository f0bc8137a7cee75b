/** A child that is a LangChain agent, with the adapter. It gives its answer word by word. */
import type { ToolMessage } from '@langchain/core/messages';
import { RemoteAgentClient } from '@molecule-ai/core';
import { createLangChainHandler, peersMiddleware } from '@molecule-ai/langchain';
import { consulting } from '@molecule-tests/harness';
import { ScriptedChatModel } from '@molecule-tests/harness/langchain';
import { createAgent } from 'langchain';
import { log } from './log.ts';
import { sabotaged } from './sabotage.ts';

const client = new RemoteAgentClient({ agentCard: { name: 'test-lab' } });
const handle = createLangChainHandler(
  createAgent({
    model: new ScriptedChatModel(consulting('ops-desk'), { msPerWord: 40 }),
    systemPrompt: `You are the test lab.\nYou know: ${process.env.DEMO_KNOWLEDGE}`,
    middleware: [peersMiddleware(client, { only: ['list_peers', 'call_peer'] })],
  }),
  { config: { callbacks: [{ handleToolEnd: logResult }] } },
);

const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
await client.register();
log('online');
// Ends by itself on a pause as well.
const outcome = await client.runAgentLoop(
  sabotaged((message, context) => {
    log('handling', { messageId: message.messageId, text: message.text });
    return handle(message, context);
  }),
  // It may be asked by its colleague while it waits for that colleague's answer.
  { signal: stopping.signal, concurrency: 4, presence: { heartbeatIntervalMs: 1_000 } },
);
log('ended', { outcome });
await client.close();

function logResult({ name, text }: ToolMessage): void {
  if (name === 'call_peer') log('tool-result', { text });
}
