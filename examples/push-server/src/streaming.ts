// #region handlers
import type { MessageHandler } from '@molecule-ai/core';

/** What a model or a framework gives: a text, in pieces. */
type Pieces = (prompt: string) => AsyncIterable<string>;

/** An iterable is streamed, and read no faster than whoever reads the answer. */
export const streaming =
  (pieces: Pieces): MessageHandler =>
  (message) =>
    pieces(message.text);

/** `context.stream` does the same from within; what the handler returns is the rest of the answer. */
export const streamingWithSources =
  (pieces: Pieces): MessageHandler =>
  async (message, { stream }) => {
    for await (const piece of pieces(message.text)) await stream(piece);
    return { text: '', parts: [{ kind: 'data', data: { sources: ['handbook'] } }] };
  };
// #endregion handlers
