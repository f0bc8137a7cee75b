import { createRemoteAgent, currentMessage, MoleculeError, peerReplyFromData } from '@molecule-ai/core';

export const serve = (client, onMessage) => createRemoteAgent({ client, onMessage });

export const describe = ({ reply }) => peerReplyFromData(reply.toData()).forModel();

export const collect = async (stream) => {
  let text = '';
  for await (const piece of stream) text += piece;
  const reply = await stream.reply();
  return { text, isWhole: text === reply.text };
};

export const recognises = (error) => MoleculeError.isInstance(error);

export const handled = () => currentMessage();
