import { type InboundMessage, peerTextInstructions } from '@molecule-ai/protocol';
import type { PeerClient } from '../client/platform-client.ts';
import { messageForModel } from '../peers/message-for-model.ts';
import { conversationOfContext } from './call-identity.ts';

/** What is shown to a model outside of a fence can be no sentence. */
const SHOWN_ID = /^[\w.:-]{1,128}$/;

/**
 * The message for a model, as the turn of the user: fenced where another agent wrote it.
 * @param isLateAnswer whether it answers a message that was sent in this conversation
 * @param isExplained whether the prompt explains fences
 */
export function turnForModel(
  message: InboundMessage,
  { isLateAnswer, isExplained }: { readonly isLateAnswer: boolean; isExplained(): boolean },
): string {
  const { inReplyTo } = message;
  const words = messageForModel(message);
  const isNamed = isLateAnswer && SHOWN_ID.test(inReplyTo);
  const text = isNamed ? `An answer to your message ${inReplyTo} has come:\n${words}` : words;
  return words === message.text || isExplained() ? text : `${peerTextInstructions}\n\n${text}`;
}

/** The conversation in which a tool asked what this message claims to answer; `null` for other messages. */
export function conversationClaimed({
  inReplyTo,
  contextId,
}: Pick<InboundMessage, 'inReplyTo' | 'contextId'>): string | null {
  return inReplyTo === '' ? null : conversationOfContext(contextId);
}

/** Whether the platform confirms that this agent sent what the message claims to answer: peers can claim to answer anything. */
export async function answersOwnMessage(
  { inReplyTo, peerId, contextId }: Pick<InboundMessage, 'inReplyTo' | 'peerId' | 'contextId'>,
  { client, signal }: { readonly client: Pick<PeerClient, 'getMessage'>; readonly signal: AbortSignal },
): Promise<boolean> {
  const sent = await client.getMessage(inReplyTo, { signal }).catch(() => null);
  signal.throwIfAborted();
  return sent?.peerId === peerId && sent.contextId === contextId;
}
