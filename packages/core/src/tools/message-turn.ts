import { type InboundMessage, peerTextInstructions } from '@molecule-ai/protocol';
import type { PeerClient } from '../client/platform-client.ts';
import { isShownId, messageForModel } from '../peers/text-for-model.ts';
import { orAborted } from '../time/linked-abort.ts';
import { conversationOfContext } from './call-identity.ts';

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
  const isNamed = isLateAnswer && isShownId(inReplyTo);
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

/** Work of one key, one after the other. Messages of one conversation are so already, but late answers are handled in the conversation that asked. */
export class SerialQueue {
  /** The end of the last work of each key that has some. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** @throws the reason of the signal, also while it waits. */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const turn = (async () => {
      if (before !== undefined) await orAborted(before, signal);
      return work();
    })();
    const end = Promise.allSettled([before, turn]);
    this.#last.set(key, end);
    void end.then(() => {
      if (this.#last.get(key) === end) this.#last.delete(key);
    });
    return turn;
  }
}
