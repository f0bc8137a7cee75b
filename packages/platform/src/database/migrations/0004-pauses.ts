import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Who paused a workspace, and with which one; null for a workspace that is not paused, or was paused before this. */
export const pausesMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema.alterTable('workspaces').addColumn('paused_by', 'text').execute();
    await db.schema.alterTable('workspaces').addColumn('paused_with', 'text').execute();
  },
};
