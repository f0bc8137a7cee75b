import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Which versions of the platform have migrated the database, so that an older one can name them. */
export const schemaVersionsMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema
      .createTable('schema_versions')
      .addColumn('version', 'text', (column) => column.primaryKey())
      .addColumn('migrated_at', 'text', (column) => column.notNull())
      .execute();
  },
};
