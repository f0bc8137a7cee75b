import type { HandlerContext, InboundMessage } from '@molecule-ai/core';
import { messageForModel } from '@molecule-ai/core';

type Turn = { readonly role: 'user' | 'assistant'; readonly content: string };
type Model = (turns: readonly Turn[], options: { readonly signal: AbortSignal }) => Promise<string>;

// #region history
/** Gives a model the last twenty rows of the conversation, and the message. */
export const answerWithHistory =
  (model: Model) =>
  async (message: InboundMessage, { history, signal }: HandlerContext): Promise<string> => {
    const { entries } = await history({ limit: 20 });
    const before = entries.map((entry): Turn => {
      return { role: entry.direction === 'out' ? 'assistant' : 'user', content: entry.forModel() };
    });
    return await model([...before, { role: 'user', content: messageForModel(message) }], { signal });
  };
// #endregion history
