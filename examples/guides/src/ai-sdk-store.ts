import type { ConversationStore } from '@molecule-ai/ai-sdk';
import type { ModelMessage } from 'ai';

/** A table with the columns `id`, the primary key, and `messages`. */
export interface Table {
  get(id: string): Promise<string | undefined>;
  put(id: string, messages: string): Promise<void>;
  delete(id: string): Promise<void>;
}

// #region store
/** Keeps conversations in a database. */
export const storeIn = (table: Table): ConversationStore => ({
  load: async (id) => {
    const row = await table.get(id);
    return row === undefined ? undefined : (JSON.parse(row) as ModelMessage[]);
  },
  save: async (id, messages) =>
    messages.length === 0 ? table.delete(id) : table.put(id, JSON.stringify(messages)),
});
// #endregion store
