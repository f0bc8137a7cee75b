import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import {
  ApiError,
  type MessageHandler,
  messageForModel,
  type PeerReply,
  peerTextInstructions,
  type RemoteAgentClient,
} from '@molecule-ai/core';
import { createAgent, tool } from 'langchain';
import { z } from 'zod';

export interface LangChainHandlerOptions {
  readonly client: RemoteAgentClient;
  readonly model: BaseChatModel;
  /** The system prompt; what a model must know about fences is added. */
  readonly instructions: string;
  /** The name of the peer that the model may ask. */
  readonly colleague: string;
  /** Called with what the colleague replied, before the model reads it. */
  readonly onReply?: (reply: PeerReply) => void;
}

/**
 * A handler that is a LangChain agent with one tool, which asks a colleague. What other agents wrote reaches the model
 * only inside a fence: the message, and the tool's result.
 */
export function langChainHandler(options: LangChainHandlerOptions): MessageHandler {
  const { client, model, colleague } = options;
  const systemPrompt = `${options.instructions}\n${peerTextInstructions}`;
  const askColleague = tool(
    async ({ question }: { question: string }, { signal }) => {
      const peer = (await client.getPeers({ signal })).find(({ name }) => name === colleague);
      if (peer === undefined) return 'The colleague is not there.';
      return client.callPeer(peer.id, question, { signal }).then((reply) => {
        options.onReply?.(reply);
        return reply.forModel();
      }, refusal);
    },
    {
      name: 'ask_colleague',
      description: `Asks ${colleague}.`,
      schema: z.object({ question: z.string() }),
    },
  );
  return async (message, { signal }) => {
    const question = { role: 'user', content: messageForModel(message) };
    const agent = createAgent({ model, systemPrompt, tools: [askColleague] });
    const { messages } = await agent.invoke({ messages: [question] }, { signal });
    return messages.at(-1)?.text;
  };
}

/** What the model reads when the platform refuses a call, for example because the two agents only ask each other. */
function refusal(error: unknown): string {
  if (!ApiError.isInstance(error)) throw error;
  return `${error.message} ${error.hint ?? ''}`;
}
