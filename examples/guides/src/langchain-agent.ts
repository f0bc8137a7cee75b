import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { MemorySaver } from '@langchain/langgraph';
import { createRemoteAgent, type RemoteAgent, type RemoteAgentClient } from '@molecule-ai/core';
import { createLangChainHandler, peersMiddleware } from '@molecule-ai/langchain';
import { createAgent } from 'langchain';

/** An agent of LangChain that answers the messages of an organisation, and may ask its peers. */
export async function join(client: RemoteAgentClient, model: BaseChatModel | string): Promise<RemoteAgent> {
  const planner = createAgent({
    model, // a chat model, or a name such as 'openai:gpt-5'
    systemPrompt: 'You plan releases.',
    middleware: [peersMiddleware(client)],
    checkpointer: new MemorySaver(), // remembers conversations; in production a database
  });
  const agent = createRemoteAgent({ client, onMessage: createLangChainHandler(planner) });
  await agent.start(); // registered, sends heartbeats, receives messages
  return agent; // agent.stop() ends it
}
