import { FakeListChatModel } from '@langchain/core/utils/testing';
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { createLangChainHandler } from '@molecule-ai/langchain';
import { createAgent } from 'langchain';

// A model without a key, which always answers the same. Later a real one, such as 'openai:gpt-5'.
const model = new FakeListChatModel({ responses: ['We ship on Monday.'] });
const planner = createAgent({ model, systemPrompt: 'You plan releases.' });

// The platform's URL, the workspace and its token come from the environment.
const client = new RemoteAgentClient({ agentCard: { name: 'planner' } });
const agent = createRemoteAgent({ client, onMessage: createLangChainHandler(planner) });
await agent.start();
console.log('online');
process.once('SIGINT', () => agent.stop());
await agent.closed;
await client.close();
