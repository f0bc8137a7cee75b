import { type MessageHandler, messageForModel } from '@molecule-ai/core';

/** The handler of an agent that asks a model. */
export const greeter =
  (model: (prompt: string) => Promise<string>): MessageHandler =>
  async (message) =>
    `Hello! ${await model(messageForModel(message))}`;
