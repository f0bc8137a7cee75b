/** A child whose handler is a LangChain agent. It gives its answer word by word. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RemoteAgentClient } from '@molecule-ai/core';
import { langChainHandler, ScriptedChatModel } from '@molecule-examples/langchain-by-hand';
import { log } from './log.ts';
import { sabotaged } from './sabotage.ts';

const MILLISECONDS_PER_WORD = 40;
const colleague = 'ops-desk';
const client = new RemoteAgentClient({ agentCard: { name: 'test-lab' } });
const handle = langChainHandler({
  client,
  model: new ScriptedChatModel(),
  instructions: `You are the test lab.\nYou know: ${process.env.DEMO_KNOWLEDGE}`,
  colleague,
  onReply: (reply) => log('tool-result', { from: colleague, via: reply.via, text: reply.forModel() }),
});

const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
await client.register();
log('online');
// Ends by itself on a pause as well.
const outcome = await client.runAgentLoop(
  sabotaged(async (message, context) => {
    log('handling', { messageId: message.messageId, text: message.text });
    const answer = await handle(message, context);
    return typeof answer === 'string' ? words(answer) : answer;
  }),
  // It may be asked by its colleague while it waits for that colleague's answer.
  { signal: stopping.signal, concurrency: 4, heartbeatIntervalMs: 1_000 },
);
log('ended', { outcome });
await client.close();

/** A real model makes one token after the other; the scripted one has its answer whole. */
async function* words(text: string): AsyncGenerator<string> {
  for (const word of text.split(/(?<= )/)) {
    yield word;
    await sleep(MILLISECONDS_PER_WORD);
  }
}
