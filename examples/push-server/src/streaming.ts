// #region handlers
import type { MessageHandler } from '@molecule-ai/core';
// #endregion handlers
// #region failing
import { MessageFailure } from '@molecule-ai/core';

// #endregion failing
// #region handlers
/** What a model or a framework gives: a text, in pieces. */
type Pieces = (prompt: string) => AsyncIterable<string>;

/** An iterable is streamed. When all readers are far behind, it waits for a moment. */
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

// #region failing
/** What may fail is done before the first piece, and is tried again; a failure after it has a text of its own. */
export const streamingFrom =
  (lookUp: (topic: string) => Promise<string>, pieces: Pieces): MessageHandler =>
  async (message, { stream }) => {
    const source = await lookUp(message.text); // throws: tried again, up to five times
    try {
      for await (const piece of pieces(source)) await stream(piece);
    } catch (cause) {
      throw new MessageFailure('The model stopped half-way.', { code: 'model_stopped', cause });
    }
  };
// #endregion failing
