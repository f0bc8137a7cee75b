// #region store
import { DatabaseSync } from 'node:sqlite';
import type { ConversationStore } from '@molecule-ai/ai-sdk';

/** Keeps conversations in a file of SQLite. The folder should have mode 0700: conversations have words of peers. */
export function sqliteStore(path: string): ConversationStore {
  const database = new DatabaseSync(path);
  database.exec('create table if not exists conversations (id text primary key, messages text not null)');
  const select = database.prepare('select messages from conversations where id = ?');
  const upsert = database.prepare('insert or replace into conversations values (?, ?)');
  const remove = database.prepare('delete from conversations where id = ?');
  return {
    load: async (id) => {
      const row = select.get(id);
      return row === undefined ? undefined : JSON.parse(String(row.messages));
    },
    save: async (id, messages) =>
      void (messages.length === 0 ? remove.run(id) : upsert.run(id, JSON.stringify(messages))),
  };
}
// #endregion store
