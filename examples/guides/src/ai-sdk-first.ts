import { createAiSdkHandler } from '@molecule-ai/ai-sdk';
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { MockLanguageModelV3 } from 'ai/test';

// A model without a key, which always answers the same. Later a real one, such as openai('gpt-5').
const model = new MockLanguageModelV3({
  doGenerate: async () => ({
    content: [{ type: 'text', text: 'We ship on Monday.' }],
    finishReason: { unified: 'stop', raw: undefined },
    usage: {
      inputTokens: { total: 10, noCache: 10, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: 5, text: 5, reasoning: 0 },
    },
    warnings: [],
  }),
});
const planner = { model, instructions: 'You plan releases.' };

// The platform's URL, the workspace and its token come from the environment.
const client = new RemoteAgentClient({ agentCard: { name: 'planner' } });
const agent = createRemoteAgent({ client, onMessage: createAiSdkHandler(planner) });
await agent.start();
console.log('online');
process.once('SIGINT', () => agent.stop());
await agent.closed;
await client.close();
