/**
 * A child whose handler is an AI SDK agent. Its model asks a colleague through a tool.
 * What other agents wrote reaches the model only inside a fence: the question, and the tool's result.
 */
import { createAgent, fencePeerText, peerTextInstructions, RemoteAgentClient } from '@molecule-ai/core';
import { ToolLoopAgent, tool } from 'ai';
import { z } from 'zod';
import { scriptedLanguageModel } from '../models/scripted-language-model.ts';
import { log } from './log.ts';
import { sabotaged } from './sabotage.ts';

const client = new RemoteAgentClient({ agentCard: { name: 'ops-desk' } });

const askColleague = tool({
  description: 'Asks the colleague who knows how the tests are doing.',
  inputSchema: z.object({ question: z.string() }),
  execute: async ({ question }, { abortSignal: signal }) => {
    const colleague = (await client.getPeers({ signal })).find((peer) => peer.name === 'test-lab');
    if (colleague === undefined) return 'There is no test-lab.';
    const reply = await client.callPeer(colleague.id, question, { signal });
    log('tool-result', { from: colleague.name, text: reply.forModel() });
    return reply.forModel();
  },
});

const model = new ToolLoopAgent({
  model: scriptedLanguageModel(),
  tools: { askColleague },
  instructions: `You are the operations desk. ${peerTextInstructions}\nYou know: ${process.env.DEMO_KNOWLEDGE}`,
});

const agent = createAgent({
  client,
  onMessage: sabotaged(async (message, { signal }) => {
    log('handling', { messageId: message.messageId, text: message.text });
    const isUser = message.source === 'canvas_user';
    const prompt = isUser ? message.text : fencePeerText(message.text, { origin: message.peerId });
    return (await model.generate({ prompt, abortSignal: signal })).text;
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
