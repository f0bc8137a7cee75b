import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Messages that agents received directly no longer use the message ids of their senders. */
export const directCallersMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql`
      update activity set caller = 'direct:' || target_id || ':' || source_id
      where activity_type = 'task_update' and message_id is not null and source_id is not null`.execute(db);
  },
};
