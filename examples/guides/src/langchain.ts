// #region agent
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import type { PeerClient } from '@molecule-ai/core';
import { createPeerTools, peersMiddleware } from '@molecule-ai/langchain';
import { createAgent } from 'langchain';

/** An agent whose model may ask its peers. */
export async function plan(client: PeerClient, model: BaseChatModel | string, question: string) {
  const planner = createAgent({
    model, // a chat model, or a name such as 'openai:gpt-5'
    systemPrompt: 'You plan releases.',
    middleware: [peersMiddleware(client)],
  });
  const { messages } = await planner.invoke({ messages: question });
  return messages.at(-1)?.text;
}
// #endregion agent

// #region tools
/** Asks without a model. With one, `createPeerTools(client)` goes to `createAgent`, `ToolNode` or `bindTools`. */
export async function askLab(client: PeerClient, labId: string, signal: AbortSignal) {
  const [callPeer] = createPeerTools(client, { only: ['call_peer'] });
  const result = await callPeer.invoke({ peer_id: labId, text: 'Can we ship?' }, { signal });
  return {
    forModel: result.content, // the words of the lab are in a fence
    forPeople: result.artifact.status === 'answered' ? result.artifact.text : 'no answer yet',
    isError: result.status === 'error',
  };
}
// #endregion tools
