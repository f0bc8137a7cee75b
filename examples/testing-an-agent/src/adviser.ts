import { type MessageHandler, messageForModel } from '@molecule-ai/core';

/** The handler of an agent that asks another one before it asks its model. */
export const adviser =
  (colleagueId: string, model: (prompt: string) => Promise<string>): MessageHandler =>
  async (message, { client, signal }) => {
    const reply = await client.callPeer(colleagueId, message.text, { signal });
    if (reply.status !== 'answered') return `Nobody knows (${reply.status}).`;
    return model(`${messageForModel(message)}\nA colleague says:\n${reply.forModel()}`);
  };
