import type { ModelMessage } from 'ai';

const MAX_CONVERSATIONS = 1_000;

/**
 * Where the conversations of a handler are kept. Messages are plain data: a store may write them as JSON. They contain words of peers, so
 * keep them as private as credentials.
 */
export interface ConversationStore {
  /** The messages of a conversation, oldest first; `undefined` for one that it does not have. */
  load(conversationId: string): Promise<readonly ModelMessage[] | undefined>;
  /** Replaces the messages of a conversation, all at once. */
  save(conversationId: string, messages: readonly ModelMessage[]): Promise<void>;
}

/** Keeps conversations until the process ends, the 1 000 that were used last. */
export class MemoryConversationStore implements ConversationStore {
  readonly #conversations = new Map<string, readonly ModelMessage[]>();

  async load(conversationId: string): Promise<readonly ModelMessage[] | undefined> {
    const messages = this.#conversations.get(conversationId);
    if (messages !== undefined) this.#keep(conversationId, messages);
    return messages;
  }

  async save(conversationId: string, messages: readonly ModelMessage[]): Promise<void> {
    this.#keep(conversationId, [...messages]);
    const [oldest] = this.#conversations.keys();
    if (this.#conversations.size > MAX_CONVERSATIONS && oldest !== undefined)
      this.#conversations.delete(oldest);
  }

  /** As the one that was used last. */
  #keep(conversationId: string, messages: readonly ModelMessage[]): void {
    this.#conversations.delete(conversationId);
    this.#conversations.set(conversationId, messages);
  }
}
