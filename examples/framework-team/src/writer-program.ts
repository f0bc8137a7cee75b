/** The process of an agent of the AI SDK, which asks the researcher, and publishes what the user approved. */
import { appendFile } from 'node:fs/promises';
import { createAiSdkHandler, createPeerTools } from '@molecule-ai/ai-sdk';
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { chooseLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { tool } from 'ai';
import { z } from 'zod';
import { FileStore } from './file-store.ts';
import { log } from './log.ts';
import { announcing } from './scripts.ts';

const { CONVERSATIONS = '', PUBLISHED = '' } = process.env;

// A real one with OPENAI_API_KEY or ANTHROPIC_API_KEY; its package is @ai-sdk/openai or @ai-sdk/anthropic.
const { model } = await chooseLanguageModel(announcing, (name) => import(name));
// Platform, workspace, token and state folder come from the environment.
const client = new RemoteAgentClient({ agentCard: { name: 'writer' } });
const publish = tool({
  description: 'Publishes an announcement for everybody.',
  inputSchema: z.object({ text: z.string().describe('The whole announcement') }),
  needsApproval: true,
  execute: async ({ text }) => {
    await appendFile(PUBLISHED, `${text}\n`);
    return 'Published.';
  },
});
const handle = createAiSdkHandler(
  {
    model,
    instructions: 'You announce releases. Ask your peers what you do not know.',
    tools: { ...createPeerTools(client, { only: ['list_peers', 'call_peer'] }), publish },
  },
  // What waits for the user outlives this process.
  { store: new FileStore(CONVERSATIONS) },
);
const agent = createRemoteAgent({
  client,
  onMessage: async (message, context) => {
    const answer = await handle(message, context);
    log('handled', { text: message.text });
    return answer;
  },
  // Approvals.
  onAnswer: async (answer, context) => {
    const given = await handle.onAnswer(answer, context);
    log('handled', { text: answer.message.text });
    return given;
  },
});
process.once('SIGTERM', () => agent.stop());
await agent.start();
log('online');
await agent.closed;
await client.close();
