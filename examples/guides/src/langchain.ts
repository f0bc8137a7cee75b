import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import type { PeerClient } from '@molecule-ai/core';
import { peersMiddleware } from '@molecule-ai/langchain';
import { createAgent } from 'langchain';

/** An agent whose model may ask its peers. It gets the client from the program that creates it. */
export function makeAgent(client: PeerClient, model: BaseChatModel | string) {
  return createAgent({
    model, // a chat model, or a name such as 'openai:gpt-5'
    systemPrompt: 'You plan releases.',
    middleware: [peersMiddleware(client)],
  });
}

/** Asks it directly, without a message of the platform. */
export async function plan(client: PeerClient, model: BaseChatModel | string, question: string) {
  const { messages } = await makeAgent(client, model).invoke({ messages: question });
  return messages.at(-1)?.text;
}
