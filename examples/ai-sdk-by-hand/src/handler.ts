import {
  ApiError,
  type MessageHandler,
  messageForModel,
  type PeerReply,
  peerTextInstructions,
  type RemoteAgentClient,
} from '@molecule-ai/core';
import { type LanguageModel, ToolLoopAgent, tool } from 'ai';
import { z } from 'zod';

export interface AiSdkHandlerOptions {
  readonly client: RemoteAgentClient;
  readonly model: LanguageModel;
  /** The system prompt; what a model must know about fences is added. */
  readonly instructions: string;
  /** The name of the peer that the model may ask. */
  readonly colleague: string;
  /** Called with what the colleague replied, before the model reads it. */
  readonly onReply?: (reply: PeerReply) => void;
}

/**
 * A handler that is an AI SDK agent with one tool, which asks a colleague. What other agents wrote reaches the model
 * only inside a fence: the message, and the tool's result.
 */
export function aiSdkHandler(options: AiSdkHandlerOptions): MessageHandler {
  const { client, model, colleague } = options;
  const instructions = `${options.instructions}\n${peerTextInstructions}`;
  const askColleague = tool({
    description: `Asks ${colleague}.`,
    inputSchema: z.object({ question: z.string() }),
    execute: async ({ question }, { abortSignal: signal }) => {
      const peer = (await client.getPeers({ signal })).find(({ name }) => name === colleague);
      if (peer === undefined) return 'The colleague is not there.';
      return client.callPeer(peer.id, question, { signal }).then((reply) => {
        options.onReply?.(reply);
        return reply.forModel();
      }, refusal);
    },
  });
  return async (message, { signal }) => {
    const agent = new ToolLoopAgent({ model, instructions, tools: { askColleague } });
    const { text } = await agent.generate({ prompt: messageForModel(message), abortSignal: signal });
    return text;
  };
}

/** What the model reads when the platform refuses a call, for example because the two agents only ask each other. */
function refusal(error: unknown): string {
  if (!ApiError.isInstance(error)) throw error;
  return `${error.message} ${error.hint ?? ''}`;
}
