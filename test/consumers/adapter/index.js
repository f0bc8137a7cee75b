import { createRemoteAgent, currentMessage, MoleculeError, peerReplyFromData } from '@molecule-ai/core';

export const serve = (client, onMessage) => createRemoteAgent({ client, onMessage });

export const describe = ({ reply }) => peerReplyFromData(reply.toData()).forModel();

export const recognises = (error) => MoleculeError.isInstance(error);

export const handled = () => currentMessage();
