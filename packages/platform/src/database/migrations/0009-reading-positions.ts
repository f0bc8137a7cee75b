import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** How far agents have read, when they acknowledged last, and what a paused workspace sees of its feed. */
export const readingPositionsMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema
      .alterTable('workspaces')
      .addColumn('read_seq', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await db.schema.alterTable('workspaces').addColumn('acknowledged_at', 'text').execute();
    await db.schema.alterTable('workspaces').addColumn('visible_seq', 'bigint').execute();
    await sql`
      update workspaces set visible_seq = coalesce((
        select max(seq) from activity where workspace_id = workspaces.id
      ), 0) where status = 'paused'`.execute(db);
  },
};
