/** The process of an agent of LangChain, which knows the results of the tests by a tool of its own. */
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { createLangChainHandler, peersMiddleware } from '@molecule-ai/langchain';
import { chooseChatModel } from '@molecule-tests/harness/langchain';
import { createAgent, initChatModel, tool } from 'langchain';
import { log } from './log.ts';
import { researching } from './scripts.ts';

// A real one with OPENAI_API_KEY or ANTHROPIC_API_KEY; its package is @langchain/openai or @langchain/anthropic.
const { model } = await chooseChatModel(researching, initChatModel);
const readResults = tool(() => process.env.RESULTS ?? '', {
  name: 'read_results',
  description: 'The results of the tests of each release.',
  schema: { type: 'object', properties: {} },
});
// Platform, workspace, token and state folder come from the environment.
const client = new RemoteAgentClient({ agentCard: { name: 'researcher' } });
const researcher = createAgent({
  model,
  systemPrompt: 'You are a researcher. Answer with what your tools say.',
  tools: [readResults],
  middleware: [peersMiddleware(client, { only: ['list_peers'] })],
});
const handle = createLangChainHandler(researcher);
const agent = createRemoteAgent({
  client,
  onMessage: (message, context) => {
    log('asked', { text: message.text, from: message.source });
    return handle(message, context);
  },
  onAnswer: handle.onAnswer,
});
process.once('SIGTERM', () => agent.stop());
await agent.start();
log('online');
await agent.closed;
await client.close();
