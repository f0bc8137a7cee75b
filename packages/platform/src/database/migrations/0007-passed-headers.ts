import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The headers of a message's request that are passed on with each push of it. */
export const passedHeadersMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema.alterTable('activity').addColumn('passed_headers', 'text').execute();
  },
};
