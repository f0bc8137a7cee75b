// #region find
import type { AnswerHandler, MessageHandler, PeerClient } from '@molecule-ai/core';
import { deriveMessageId, MoleculeError } from '@molecule-ai/core';

/** The id of the first peer with this name. Names are chosen by the peers, and several may have the same. */
export async function findPeer(client: PeerClient, name: string): Promise<string | undefined> {
  return (await client.getPeers()).find((peer) => peer.name === name)?.id;
}
// #endregion find

// #region ask
/** Asks a peer, and says what came of it. */
export async function ask(client: PeerClient, peerId: string, question: string): Promise<string> {
  const reply = await client.callPeer(peerId, question);
  switch (reply.status) {
    case 'answered':
      return `It says: ${reply.text}`; // for people; a model gets reply.forModel()
    case 'failed':
      return `It failed, ${reply.code}: ${reply.text}`;
    case 'queued':
      return `No answer yet${reply.isHeld ? ', it is paused' : ''}: see message ${reply.messageId} later.`;
    default:
      return reply.status; // unanswered, canceled, expired, input-required
  }
}
// #endregion ask

/** Asks once, and waits for as long as it takes, also when the program is started again with the same `job`. */
export async function askPatiently(client: PeerClient, peerId: string, question: string, job: string) {
  // #region patient
  const messageId = deriveMessageId(client.workspaceId, job); // the same in each run of the program
  let reply = await client.callPeer(peerId, question, { messageId });
  while (reply.status === 'queued') reply = await client.waitForAnswer(messageId);
  // #endregion patient
  return reply;
}

/** Two questions in one conversation: the handler of the peer gets both with the same `conversationId`. */
export async function askTwice(client: PeerClient, peerId: string) {
  // #region conversation
  const first = await client.callPeer(peerId, 'Which release is out?');
  const second = await client.callPeer(peerId, 'And who made it?', { contextId: first.contextId });
  // #endregion conversation
  return second;
}

/** Asks, and cancels the message when there is no answer in time: the peer's handler is aborted. */
export async function askInTime(client: PeerClient, peerId: string) {
  // #region cancel
  const reply = await client.callPeer(peerId, 'Count all files.', { timeoutMs: 2_000 });
  if (reply.status === 'queued') await client.cancelTask(reply.messageId);
  // #endregion cancel
  return client.getMessage(reply.messageId);
}

// #region handler
/** Asks a peer in order to answer. */
export const relay =
  (peerId: string): MessageHandler =>
  async (message, { client, signal }) => {
    const messageId = deriveMessageId(client.workspaceId, `relay ${message.id}`); // another attempt sends no second message
    const reply = await client.callPeer(peerId, message.text, { messageId, signal });
    return reply.status === 'answered' ? reply.text : `I got no answer: ${reply.status}.`;
  };
// #endregion handler

// #region late
/** Passes a task on without waiting. */
export const delegate =
  (peerId: string): MessageHandler =>
  async (message, { client, signal }) => {
    const messageId = deriveMessageId(client.workspaceId, `delegate ${message.id}`);
    await client.sendToPeer(peerId, message.text, { messageId, signal });
    return 'Passed on. The result will be on the canvas.';
  };

/** Shows the answer on the canvas when it comes: `onAnswer` of the agent. */
export const showResult: AnswerHandler = async (answer, { client }) => {
  if (answer.kind === 'late') await client.notify(`The result: ${answer.reply.text}`); // of the peer, for people
};
// #endregion late

// #region errors
/** Asks, and explains why that was not possible. */
export async function tryToAsk(client: PeerClient, peerId: string): Promise<string> {
  const messageId = deriveMessageId(client.workspaceId, 'what-is-new');
  try {
    return (await client.callPeer(peerId, 'What is new?', { messageId })).text;
  } catch (error) {
    if (!MoleculeError.isInstance(error)) throw error; // the reason of an abort, for example
    if (error.code === 'access_denied') return 'I may not write to it.';
    if (error.isRetryable) return `Later, with the same message id: ${error.message}`;
    return `${error.message} ${error.hint ?? ''}`;
  }
}
// #endregion errors
