import type { ConversationStore } from '@molecule-ai/ai-sdk';
import type { ModelMessage } from 'ai';
import type { StoredEdit } from './adapter-driver.ts';

/** Conversations as a database has them: as JSON. */
export class AiSdkMemory implements ConversationStore {
  readonly #stored: Map<string, string>;

  constructor(stored: ReadonlyMap<string, string> = new Map()) {
    this.#stored = new Map(stored);
  }

  async load(conversationId: string): Promise<ModelMessage[] | undefined> {
    const stored = this.#stored.get(conversationId);
    return stored === undefined ? undefined : JSON.parse(stored);
  }

  async save(conversationId: string, messages: readonly ModelMessage[]): Promise<void> {
    if (messages.length === 0) this.#stored.delete(conversationId);
    else this.#stored.set(conversationId, JSON.stringify(messages));
  }

  restored(edit: StoredEdit = (stored) => stored): AiSdkMemory {
    return new AiSdkMemory(new Map([...this.#stored].map(([id, stored]) => [id, edit(stored)])));
  }
}
