import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Which running agent reads the feed of a workspace, so that it is known after a restart of the platform. */
export const readerIdentitiesMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema
      .createTable('reader_identities')
      .addColumn('workspace_id', 'text', (column) =>
        column.primaryKey().references('workspaces.id').onDelete('cascade'),
      )
      .addColumn('instance_id', 'text')
      .addColumn('superseded', 'text', (column) => column.notNull())
      .execute();
  },
};
