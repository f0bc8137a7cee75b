/**
 * A child whose handler is an AI SDK agent. Its model asks a colleague through a tool.
 * What other agents wrote reaches the model only inside a fence: the question, and the tool's result.
 */
import {
  createRemoteAgent,
  messageForModel,
  peerTextInstructions,
  RemoteAgentClient,
} from '@molecule-ai/core';
import { ToolLoopAgent, type ToolSet, tool } from 'ai';
import { z } from 'zod';
import { scriptedLanguageModel } from '../models/scripted-language-model.ts';
import { log } from './log.ts';
import { sabotaged } from './sabotage.ts';

const colleague = 'test-lab';
const client = new RemoteAgentClient({ agentCard: { name: 'ops-desk' } });

const askColleague = tool({
  description: 'Asks the colleague who knows how the tests are doing.',
  inputSchema: z.object({ question: z.string() }),
  execute: async ({ question }, { abortSignal: signal }) => {
    const peer = (await client.getPeers({ signal })).find(({ name }) => name === colleague);
    if (peer === undefined) return 'The colleague is not there.';
    const reply = await client.callPeer(peer.id, question, { signal });
    log('tool-result', { from: peer.name, text: reply.forModel() });
    return reply.forModel();
  },
});

const model = scriptedLanguageModel();
const instructions = `You are the operations desk. ${peerTextInstructions}\nYou know: ${process.env.DEMO_KNOWLEDGE}`;

const agent = createRemoteAgent({
  client,
  onMessage: sabotaged(async (message, { signal }) => {
    log('handling', { messageId: message.messageId, text: message.text });
    // Asked by its colleague it answers alone, or the two could ask each other for ever.
    const tools: ToolSet = message.peerName === colleague ? {} : { askColleague };
    const answerer = new ToolLoopAgent({ model, instructions, tools });
    const { text } = await answerer.generate({ prompt: messageForModel(message), abortSignal: signal });
    return text;
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
