import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Where the parts and the metadata of a message are in its stored text, so that a page need not parse it. */
export const bodyLayoutMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema.alterTable('activity').addColumn('body_layout', 'text').execute();
  },
};
