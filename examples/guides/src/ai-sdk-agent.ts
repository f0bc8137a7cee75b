import { createAiSdkHandler, createPeerTools, MemoryConversationStore } from '@molecule-ai/ai-sdk';
import { createRemoteAgent, type RemoteAgent, type RemoteAgentClient } from '@molecule-ai/core';
import type { LanguageModel } from 'ai';

/** An agent of the AI SDK that answers the messages of an organisation, and may ask its peers. */
export async function join(client: RemoteAgentClient, model: LanguageModel): Promise<RemoteAgent> {
  const planner = {
    model, // of a provider, such as openai('gpt-5'), or an id for the AI Gateway
    instructions: 'You plan releases.',
    tools: createPeerTools(client),
  };
  const store = new MemoryConversationStore(); // remembers conversations; in production a database
  const agent = createRemoteAgent({ client, onMessage: createAiSdkHandler(planner, { store }) });
  await agent.start(); // registered, sends heartbeats, receives messages
  return agent; // agent.stop() ends it
}
