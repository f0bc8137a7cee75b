import { MessageFailure, type MessageHandler } from '@molecule-ai/core';

/** Passes the answer of another agent on as it comes, and fails when that agent does not answer. */
export const passingOn =
  (peerId: string): MessageHandler =>
  async (message, { client, signal, stream }) => {
    const asked = client.streamPeer(peerId, message.text, { signal });
    for await (const piece of asked) await stream(piece);
    const { status } = await asked.reply();
    if (status !== 'answered') {
      throw new MessageFailure(`The agent that was asked did not answer: ${status}.`, {
        code: 'not_answered',
      });
    }
  };
