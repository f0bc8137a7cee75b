/**
 * A child whose handler is a LangChain agent. Its model asks a colleague through a tool.
 * What other agents wrote reaches the model only inside a fence: the question, and the tool's result.
 */
import { messageForModel, peerTextInstructions, RemoteAgentClient } from '@molecule-ai/core';
import { createAgent, tool } from 'langchain';
import { z } from 'zod';
import { ScriptedChatModel } from '../models/scripted-chat-model.ts';
import { log } from './log.ts';
import { sabotaged } from './sabotage.ts';

const colleague = 'ops-desk';
const client = new RemoteAgentClient({ agentCard: { name: 'test-lab' } });

const askColleague = tool(
  async ({ question }: { question: string }, { signal }) => {
    const peer = (await client.getPeers({ signal })).find(({ name }) => name === colleague);
    if (peer === undefined) return 'The colleague is not there.';
    const reply = await client.callPeer(peer.id, question, { signal });
    log('tool-result', { from: peer.name, text: reply.forModel() });
    return reply.forModel();
  },
  {
    name: 'ask_colleague',
    description: 'Asks the colleague who knows how production is doing.',
    schema: z.object({ question: z.string() }),
  },
);

const model = new ScriptedChatModel();
const systemPrompt = `You are the test lab. ${peerTextInstructions}\nYou know: ${process.env.DEMO_KNOWLEDGE}`;

const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
await client.register();
log('online');
// Ends by itself on a pause as well.
const outcome = await client.runAgentLoop(
  sabotaged(async (message, { signal }) => {
    log('handling', { messageId: message.messageId, text: message.text });
    // Asked by its colleague it answers alone, or the two could ask each other for ever.
    const tools = message.peerName === colleague ? [] : [askColleague];
    const question = { role: 'user', content: messageForModel(message) };
    const agent = createAgent({ model, systemPrompt, tools });
    const { messages } = await agent.invoke({ messages: [question] }, { signal });
    return messages.at(-1)?.text;
  }),
  // It may be asked by its colleague while it waits for that colleague's answer.
  { signal: stopping.signal, concurrency: 4, heartbeatIntervalMs: 1_000 },
);
log('ended', { outcome });
await client.close();
