import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** How much each workspace has stored by writing to its own feed. */
export const ownBytesMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema
      .alterTable('workspaces')
      .addColumn('own_bytes', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await sql`
      update workspaces set own_bytes = coalesce((
        select sum(512 + octet_length(coalesce(request_body, '')) + octet_length(coalesce(response_body, ''))
          + octet_length(coalesce(summary, '')) + octet_length(coalesce(error_detail, '')))
        from activity
        where workspace_id = workspaces.id and caller = workspaces.id and message_id is null
      ), 0)`.execute(db);
  },
};
