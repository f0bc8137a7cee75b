import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessageChunk } from '@langchain/core/messages';
import type { PeerClient } from '@molecule-ai/core';
import { peersMiddleware, StripBoundaryOutputParser } from '@molecule-ai/langchain';
import { createAgent } from 'langchain';

/** What an agent says, piece by piece. */
export async function* speak(client: PeerClient, model: BaseChatModel, question: string) {
  const planner = createAgent({ model, middleware: [peersMiddleware(client)] });
  async function* said() {
    for await (const [piece] of await planner.stream({ messages: question }, { streamMode: 'messages' })) {
      if (AIMessageChunk.isInstance(piece)) yield piece;
    }
  }
  yield* new StripBoundaryOutputParser().transform(said(), {});
}
