import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What a compact row of a message begins with, so that a page need not parse its request and reads few columns. */
export const compactRowsMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema.alterTable('activity').addColumn('compact_row', 'text').execute();
  },
};
